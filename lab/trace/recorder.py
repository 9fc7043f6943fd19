"""The recorder of a run: console, counts, what went wrong, the last events, the hash."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

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


@dataclass(eq=False, slots=True)
class RunRecorder:
    """Takes the events of one run in, in bounded memory, and passes them on."""

    identity: Identity
    listener: Callable[[Event], None] | None = None  # is shown every event
    messages: int = 0  # completed transfers into a thread
    invocations: int = 0  # of kernel objects
    faults: list[Fault | Exception_] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    refusals: int = 0
    last: deque[Event] = field(default_factory=lambda: deque(maxlen=LAST_EVENTS))
    _log: bytearray = field(default_factory=bytearray)
    _hash: TraceHash = field(init=False)

    def __post_init__(self) -> None:
        self._hash = TraceHash(self.identity)

    def record(self, event: Event) -> None:
        """Take note of `event`."""
        self._hash.add(event)
        self.last.append(event)
        match event:
            case Transfer():
                self.messages += 1
            case Invocation():
                self.invocations += 1
            case Log():
                if len(self._log) <= CONSOLE_LIMIT:
                    self._log += event.data
            case Fault() | Exception_():
                if len(self.faults) < _MOST_REPORTS:
                    self.faults.append(event)
            case Refused():
                self.refusals += 1
                if len(self.refused) < _MOST_REPORTS:
                    self.refused.append(event)
            case _:
                pass
        if self.listener is not None:
            self.listener(event)

    def console(self) -> str:
        """Give all that guests wrote to the log, as text."""
        return decode_console(bytes(self._log))

    def trace_hash(self) -> str:
        """Give the hash of all events so far."""
        return self._hash.hexdigest()


_MOST_REPORTS = 100  # of a kind: a guest may repeat itself for ever


def decode_console(data: bytes) -> str:
    """Make text of what guests wrote; a console of over 1 MiB is cut and marked."""
    text = data[:CONSOLE_LIMIT].decode(errors="backslashreplace")
    return text + CUT_MARK if len(data) > CONSOLE_LIMIT else text
