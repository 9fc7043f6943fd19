"""The one error of the loaders: something in a user's file is not as it should be."""

from functools import partial


class GuestError(Exception):
    """A scenario, a source or an image breaks a rule of its format; the user can mend it.

    `file` is the path as the user would recognise it, `line` counts from 1, `key` is the
    path of a scenario key (``task[1].caps.0x21``).  The text is built from these.
    """

    def __init__(
        self, message: str, *, file: str, line: int | None = None, key: str | None = None
    ) -> None:
        """Keep the parts; the text is made when it is asked for."""
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.key = key

    def __reduce__(self) -> tuple[object, ...]:
        """Let it come out of another process as it is."""
        return partial(GuestError, file=self.file, line=self.line, key=self.key), (
            self.message,
        )

    def __str__(self) -> str:
        """Render ``file:line: key: message``, without the parts that are None."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.message) if part is not None)
