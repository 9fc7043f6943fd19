"""What the machine raises: our caller asked for something impossible, or the host is unfit.

Nothing a guest does raises any of these.
"""


class MachineError(Exception):
    """The base of all errors of this package."""


class UsageError(MachineError):
    """Our caller asked for something that the machine refuses."""


class BadConfigError(UsageError):
    """A machine was asked for that cannot exist."""


class BadMappingError(UsageError):
    """A page cannot be mapped as asked; nothing was changed."""

    def __init__(self, address: int, frame: int, reason: str) -> None:
        super().__init__(f"page {address:#x} to frame {frame:#x}: {reason}")
        self.address = address
        self.frame = frame
        self.reason = reason


class NotMappedError(UsageError):
    """An access through the page tables met an address without a page."""

    def __init__(self, space: int, address: int) -> None:
        super().__init__(f"space {space}: address {address:#x} is not mapped")
        self.space = space
        self.address = address


class NotInMemoryError(UsageError):
    """A physical range lies in no memory window."""

    def __init__(self, address: int, size: int) -> None:
        super().__init__(f"physical {address:#x}+{size:#x} is outside RAM and shared memory")
        self.address = address
        self.size = size


class NoSuchNumberError(UsageError):
    """A space or context number is unknown, or already taken."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"{what} {number}")
        self.number = number


class NoSuchRegisterError(UsageError):
    """A register name is unknown to this architecture."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no register {name!r}")
        self.name = name


class OutOfTablesError(UsageError):
    """The window for page tables is full."""

    def __init__(self, size: int) -> None:
        super().__init__(f"page tables fill their window of {size:#x} bytes")
        self.size = size


class BadCheckpointError(UsageError):
    """A frozen machine is damaged, or belongs to another configuration."""


class EngineError(MachineError):
    """The emulation library is not the one this package was calibrated for."""
