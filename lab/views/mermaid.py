"""A part of a run as a sequence diagram in Mermaid's language (mermaid.js.org)."""

from collections.abc import Iterable, Iterator

from kernel import abi
from kernel.events import Event, Exception_, Fault, Log, Transfer, words_of
from lab.names import Names
from lab.trace.console import decode_console

_MOST_WORDS = 8  # of a message; the rest is a count
_LONGEST = 80  # characters of a text
# What has a meaning to Mermaid, or ends a line; it knows characters by their numbers.
_SPECIAL = frozenset('#;:<>{}"%\\`')


def render_diagram(events: Iterable[tuple[Event, Names]]) -> Iterator[str]:
    """Give the lines of a diagram: messages as arrows, faults and log lines as notes."""
    lines: list[str] = []
    lanes: dict[int, str] = {}  # in the order in which they appear
    for event, names in events:
        if isinstance(event, Transfer):
            for number in (event.sender, event.receiver):
                lanes.setdefault(number, names.of(number))
            lines.append(
                f"t{event.sender}->>t{event.receiver}: {_escape(_message(event, names))}"
            )
            continue
        text = _note(event)
        if text and isinstance(event, Fault | Exception_ | Log):
            lanes.setdefault(event.thread, names.of(event.thread))
            lines.append(f"Note over t{event.thread}: {_escape(text)}")
    yield "sequenceDiagram"
    for number, name in lanes.items():
        yield f"    participant t{number} as {_escape(name)}"
    for line in lines:
        yield f"    {line}"


def _message(event: Transfer, names: Names) -> str:
    operation = abi.OPERATIONS.get(event.operation, hex(event.operation))
    via = f" {names.of(event.via)}" if event.via else ""
    words = words_of(event.payload, names.arch.word)
    shown = " ".join(hex(word) for word in words[:_MOST_WORDS])
    more = f" and {len(words) - _MOST_WORDS} more" if len(words) > _MOST_WORDS else ""
    failed = f" error {event.error}" if event.error else ""
    return f"{operation}{via} [{shown}{more}]{failed}"


def _note(event: Event) -> str:
    match event:
        case Fault():
            return f"page fault at {event.address:#x}"
        case Exception_():
            return f"exception {event.vector}"
        case Log():
            return repr(decode_console(event.data).rstrip("\n"))[:_LONGEST]
        case _:
            return ""


def _escape(text: str) -> str:
    return "".join(f"#{ord(c)};" if c in _SPECIAL or not c.isprintable() else c for c in text)
