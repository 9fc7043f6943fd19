"""The recorder of a run: console, counts, what went wrong, the last events, the hash."""

from collections import deque
from collections.abc import Callable

from kernel.events import (
    Event,
    Exception_,
    Fault,
    Invocation,
    Log,
    Refused,
    Transfer,
)
from lab.trace.format import Identity, TraceHash

CONSOLE_LIMIT = 1 << 20  # bytes
LAST_EVENTS = 40
CUT_MARK = "\n[console cut after 1 MiB]\n"

_MOST_REPORTS = 100  # of a kind: a guest may repeat itself for ever


class RunRecorder:
    """Takes the events of one run in, in bounded memory, and passes them on.

    `messages` counts completed transfers into a thread, `invocations` those of kernel
    objects; `refused` has the first of `refusals`.
    """

    __slots__ = (
        "_hash",
        "_log",
        "faults",
        "identity",
        "invocations",
        "last",
        "listener",
        "messages",
        "refusals",
        "refused",
    )

    def __init__(
        self, identity: Identity, *, listener: Callable[[Event], None] | None = None
    ) -> None:
        self.identity = identity
        self.listener = listener  # is shown every event
        self.messages = 0
        self.invocations = 0
        self.faults: list[Fault | Exception_] = []
        self.refused: list[Refused] = []
        self.refusals = 0
        self.last: deque[Event] = deque(maxlen=LAST_EVENTS)
        self._log = bytearray()
        self._hash = TraceHash(identity)

    def record(self, event: Event) -> None:
        """Take note of `event`."""
        self._hash.add(event)
        self.last.append(event)
        kind = type(event)
        if kind is Transfer:
            self.messages += 1
        elif kind in _NOTED:
            self._note(event)
        if self.listener is not None:
            self.listener(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, Invocation):
            self.invocations += 1
        elif isinstance(event, Log):
            if len(self._log) <= CONSOLE_LIMIT:
                self._log += event.data
        elif isinstance(event, Refused):
            self.refusals += 1
            if len(self.refused) < _MOST_REPORTS:
                self.refused.append(event)
        elif isinstance(event, Fault | Exception_) and len(self.faults) < _MOST_REPORTS:
            self.faults.append(event)

    def console(self) -> str:
        """Give all that guests wrote to the log, as text."""
        return decode_console(bytes(self._log))

    def trace_hash(self) -> str:
        """Give the hash of all events so far."""
        return self._hash.hexdigest()


_NOTED = frozenset((Invocation, Log, Refused, Fault, Exception_))


def decode_console(data: bytes) -> str:
    """Make text of what guests wrote; a console of over 1 MiB is cut and marked."""
    text = data[:CONSOLE_LIMIT].decode(errors="backslashreplace")
    return text + CUT_MARK if len(data) > CONSOLE_LIMIT else text
