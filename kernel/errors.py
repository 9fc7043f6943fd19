"""The kernel's errors: the guest broke a rule, or our caller did."""

from kernel.abi import Errno, IpcError


class GuestFault(Exception):
    """A guest's system call cannot be done; the guest gets `error` and nothing has changed.

    An `IpcError` comes back as the tag's error flag with the code in the UTCB's error
    word, an `Errno` as the tag's negative label.  `refused` says that the request is
    sensible but this kernel does not serve it; such requests are reported.
    """

    def __init__(self, error: IpcError | Errno, *, refused: str = "") -> None:
        super().__init__(error, refused)
        self.error = error
        self.refused = refused

    def __str__(self) -> str:
        return f"{self.error.name.lower()}" + (f": {self.refused}" if self.refused else "")


class UsageError(Exception):
    """Our caller asked for what cannot be: `what` names the offender and the limit."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
