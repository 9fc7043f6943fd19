"""Runs and events as text for people: aligned, and coloured where colour means something.

Colours: green as expected, red wrong, yellow a word that was overwritten, dim what only
helps to find one's way.
"""

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from kernel import abi, utcb
from kernel.abi import Arch
from kernel.events import (
    Awoken,
    Created,
    Deleted,
    End,
    Event,
    Exception_,
    Failure,
    Fate,
    Fault,
    Firing,
    Interrupt,
    Invocation,
    Items,
    Log,
    Named,
    Purpose,
    Refused,
    Remark,
    Resumption,
    Switch,
    Transfer,
    Waiting,
    words_of,
)
from lab.names import Names
from lab.trace.console import decode_console

INDENT = " " * 25  # below cycle and position
_VECTORS = {
    0: "divide error",
    1: "debug",
    3: "breakpoint",
    4: "overflow",
    5: "bound range",
    6: "undefined instruction",
    7: "no FPU",
    8: "double fault",
    10: "invalid TSS",
    11: "segment not present",
    12: "stack segment",
    13: "general protection",
    14: "page fault",
    16: "x87 error",
    17: "alignment check",
    19: "SIMD error",
}
_FIRINGS = {
    Firing.DELIVERED: "its thread waited for it",
    Firing.QUEUED: "queued at its thread",
    Firing.COALESCED: "one is queued already",
    Firing.PENDING: "pending, since no thread is bound",
}
_ERRORS = {error.value: error.name.lower().replace("_", " ") for error in abi.IpcError}


def trace_head() -> Text:
    """Give the line above the events of a trace."""
    return Text(f"{'cycle':>12}  {'position':>9}  event", style="bold")


def render_event(event: Event, names: Names) -> Iterator[Text]:
    """Render one event; the first line has its cycle and position."""
    lines = _describe(event, names)
    stamp = Text(f"{event.cycle:>12,}  {event.position:>9,}  ", style="dim")
    yield stamp.append_text(next(lines))
    for line in lines:
        yield Text(INDENT).append_text(line)


def summarize_event(event: Event, names: Names) -> Text:
    """Render one event in one line, without its time: what happened, and the words sent."""
    line = next(_describe(event, names))
    sent: Sequence[int] = ()
    if isinstance(event, Transfer):
        sent = words_of(event.payload, names.arch.word)
    elif isinstance(event, Invocation | Waiting):
        sent = event.words
    return line.append("".join(f" {word:#x}" for word in sent), style="dim")


def describe_tag(tag: int, arch: Arch) -> str:
    """Say what a message tag says: label, words, items and flags."""
    label, words, items, flags = abi.decode_tag(tag, bits=arch.bits)
    parts = [f"label {describe_label(label)}", describe_count(words, "word")]
    if items:
        parts.append(describe_count(items, "item"))
    for flag, name in (
        (abi.TAG_SCHEDULE, "schedule"),
        (abi.TAG_TRANSFER_FPU, "fpu"),
        (abi.TAG_PROPAGATE, "propagate"),
        (abi.TAG_ERROR, "error"),
    ):
        if flags & flag:
            parts.append(name)
    return ", ".join(parts)


def describe_label(label: int) -> str:
    """Name a kernel protocol or an error; any other label is a number."""
    if label in _PROTOCOLS:
        return f"{label} ({_PROTOCOLS[label]})"
    if -label in _ERRNOS:
        return f"{label} (-{_ERRNOS[-label]})"
    return f"{label:#x}" if label > 9 else str(label)


# Numbers that are both mean the protocol in a request and the error in a reply; only the
# errors that no protocol shares can be told apart.
_PROTOCOLS = {p.value: p.name.lower() for p in abi.Protocol if p.value < 0}
_ERRNOS = {e.value: e.name for e in abi.Errno if e.value and -e.value not in _PROTOCOLS}


def _describe(event: Event, names: Names) -> Iterator[Text]:
    match event:
        case Transfer():
            yield from _transfer(event, names)
        case Failure():
            operation = abi.OPERATIONS.get(event.operation, hex(event.operation))
            target = f" {names.of(event.target)}" if event.target else ""
            yield _head(names.of(event.thread), f"{operation}{target} failed: ").append(
                f"error {event.error}, {_ERRORS.get(event.error, 'unknown')}", style="red"
            )
            yield _at("at", names, event.thread, event.ip)
        case Invocation():
            yield from _invocation(event, names)
        case Waiting():
            yield from _waiting(event, names)
        case Awoken():
            yield _head(names.of(event.thread), f"goes on: {names.of(event.target)} came")
            yield Text(f"result {event.result:#x}: {describe_tag(event.result, names.arch)}")
            yield _at("at", names, event.thread, event.ip)
        case Interrupt():
            yield _head(names.of(event.irq), f"interrupt: {_FIRINGS[event.firing]}")
        case Items():
            yield from _items(event, names)
        case Created():
            made = f"makes {names.of(event.target)}, a new {event.kind}"
            yield _head(names.of(event.thread), made)
        case Deleted():
            yield _head(names.of(event.target), "is deleted")
        case Named():
            given = decode_console(event.name)
            # By its number: it may be called this name already.
            name = names.objects.get(event.target, f"#{event.target}")
            yield _head(names.of(event.thread), f"names {name}: ").append(
                repr(given), style="green"
            )
        case Remark():
            yield _remark(event, names)
            yield _at("at", names, event.thread, event.ip)
        case Refused():
            yield _head(names.of(event.thread), "asked for what is not served: ").append(
                event.reason, style="red"
            )
            yield Text(
                f"object {names.of(event.target) if event.target else 'none'}, protocol "
                f"{describe_label(event.protocol)}, opcode {event.opcode:#x}"
            )
            yield _at("at", names, event.thread, event.ip)
        case Fault():
            kind = _fault_kind(event.error)
            yield _head(names.of(event.thread), "").append(
                f"page fault: {kind} at {event.address:#x}, {_fate(event.fate)}", style="red"
            )
            yield _at("at", names, event.thread, event.ip)
        case Exception_():
            yield _head(names.of(event.thread), "").append(
                f"exception {event.vector} ({_VECTORS.get(event.vector, 'unknown')}), "
                f"error {event.error:#x}, {_fate(event.fate)}",
                style="red",
            )
            yield _at("at", names, event.thread, event.ip)
        case Resumption():
            yield from _resumption(event, names)
        case Switch():
            yield Text(f"{names.of(event.next)} runs", style="dim")
        case Log():
            text = decode_console(event.data).rstrip("\n")
            yield _head(names.of(event.thread), "log: ").append(repr(text), style="green")
        case End():
            yield Text(f"end: {event.outcome.name.lower()}", style="bold")


def _remark(event: Remark, names: Names) -> Text:
    text = decode_console(event.text)
    shown = Text(repr(text), style="green")
    what = _PURPOSES[event.purpose]
    if event.purpose is Purpose.IMAGE:
        what = what.format(names.of(event.target))
    elif event.purpose is Purpose.BINARY:
        shown = Text(event.text.hex(" "), style="green")
    head = _head(names.of(event.thread), what)
    if event.text:
        head.append(": ").append_text(shown)
    return head.append("".join(f" {value:#x}" for value in event.values))


_PURPOSES = {
    Purpose.ENTER: "enters the debugger, and goes on",
    Purpose.COMMAND: "has a command for the debugger",
    Purpose.TEXT: "traces",
    Purpose.VALUES: "traces",
    Purpose.BINARY: "traces bytes",
    Purpose.IMAGE: "tells of a program in {}",
}


def _resumption(event: Resumption, names: Names) -> Iterator[Text]:
    if event.error:
        what = f"the kernel's call failed: error {event.error}, {_ERRORS[event.error]}"
    else:
        what = f"was answered: {describe_tag(event.tag, names.arch)}"
    yield _head(names.of(event.thread), what)
    digits = names.arch.word * 2
    for register, word, old in zip(_RESTORED, event.words, event.old, strict=False):
        yield Text(f"{register:<6} {word:#0{digits + 2}x} comes back, was {old:#x}")


_RESTORED = ("bdr", "br[0]", "br[1]", "mr[0]", "mr[1]")


def _transfer(event: Transfer, names: Names) -> Iterator[Text]:
    operation = abi.OPERATIONS.get(event.operation, hex(event.operation))
    via = f" through gate {names.of(event.via)}" if event.via else ""
    sender, receiver = names.of(event.sender), names.of(event.receiver)
    yield _head(f"{sender} → {receiver}", f"{operation}{via}")
    yield Text(
        f"tag {event.tag:#x}: {describe_tag(event.tag, names.arch)}; label {event.label:#x}"
    )
    if event.error:
        yield Text(f"error {event.error}, {_ERRORS[event.error]}", style="red")
    if event.sender_ip:
        yield _at("from", names, event.sender, event.sender_ip)
    yield _at("to", names, event.receiver, event.receiver_ip)
    sent = words_of(event.payload, names.arch.word)
    held = words_of(event.overwritten, names.arch.word)
    rows = [
        (utcb.name_of(k), f"{new:#x}", f"{old:#x}", f"{new:#x}")
        for k, (new, old) in enumerate(zip(sent, held, strict=True))
    ]
    yield from _words(("", f"{sender} sent", f"{receiver} had", f"{receiver} has"), rows)


def _items(event: Items, names: Names) -> Iterator[Text]:
    sender, receiver = names.of(event.sender), names.of(event.receiver)
    yield _head(f"{sender} → {receiver}", describe_count(len(event.items) // 2, "item"))
    rows = [
        (utcb.name_of(event.first + k), f"{sent:#x}", f"{result:#x}")
        for k, (sent, result) in enumerate(zip(event.items, event.results, strict=True))
    ]
    yield from _words(("", f"{sender} sent", f"{receiver} has"), rows)


def _invocation(event: Invocation, names: Names) -> Iterator[Text]:
    operation = abi.OPERATIONS.get(event.operation, hex(event.operation))
    yield _head(names.of(event.thread), f"{operation} to {names.of(event.target)}")
    yield Text(f"tag {event.tag:#x}: {describe_tag(event.tag, names.arch)}")
    if event.operation & abi.OP_RECV:
        yield Text(f"result {event.result:#x}: {describe_tag(event.result, names.arch)}")
    yield _at("at", names, event.thread, event.ip)
    rows = [(utcb.name_of(k), f"{word:#x}") for k, word in enumerate(event.words)]
    yield from _words(("", "sent"), rows)
    rows_back = [
        (utcb.name_of(k), f"{new:#x}", f"{old:#x}", f"{new:#x}")
        for k, (new, old) in enumerate(zip(event.answer, event.old, strict=True))
    ]
    yield from _words(("", "answered", "had", "has"), rows_back)


def _waiting(event: Waiting, names: Names) -> Iterator[Text]:
    operation = abi.OPERATIONS.get(event.operation, hex(event.operation))
    yield _head(names.of(event.thread), f"{operation} to {names.of(event.target)}, waits")
    yield Text(f"tag {event.tag:#x}: {describe_tag(event.tag, names.arch)}")
    yield _at("at", names, event.thread, event.ip)
    rows = [(utcb.name_of(k), f"{word:#x}") for k, word in enumerate(event.words)]
    yield from _words(("", "sent"), rows)


def _words(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[Text]:
    """Line up a table of words; a word that was lost under another one is yellow."""
    if not rows:
        return
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
    line = "  ".join(f"{cell:>{width}}" for cell, width in zip(head, widths, strict=True))
    yield Text(line, style="dim")
    for row in rows:
        text = Text()
        overwritten = len(row) > 3 and row[2] not in ("0x0", row[3])
        for k, (cell, width) in enumerate(zip(row, widths, strict=True)):
            style = "bold yellow" if k == 2 and overwritten else ""
            text.append("  " if k else "").append(f"{cell:>{width}}", style=style)
        if overwritten:
            text.append("  overwritten", style="yellow")
        yield text


def render_refusals(refused: Iterable[Refused], total: int, names: Names) -> Iterator[Text]:
    """Render what guests asked for and did not get."""
    shown = 0
    for event in refused:
        shown += 1
        yield from render_event(event, names)
    if total > shown:
        yield Text(f"{INDENT}and {total - shown:,} more")


def render_remarks(remarks: Iterable[Remark], total: int, names: Names) -> Iterator[Text]:
    """Render what guests told the kernel's debugger."""
    shown = 0
    for event in remarks:
        shown += 1
        yield from render_event(event, names)
    if total > shown:
        yield Text(f"{INDENT}and {total - shown:,} more")


def render_table(head: tuple[str, ...], rows: Iterable[tuple[str | Text, ...]]) -> Table:
    """Make a plain table without a frame, as every command prints it."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def printable(text: str) -> str:
    """Escape what a guest could send to the terminal but letters, marks and spaces."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _head(who: str, what: str) -> Text:
    return Text(who, style="bold").append("  ", style="not bold").append(what, style="not bold")


def _at(word: str, names: Names, thread: int, ip: int) -> Text:
    return Text(f"{word} {names.place(thread, ip)}", style="dim")


def _fate(fate: Fate) -> str:
    return {
        Fate.HANDLED: "handled",
        Fate.KILLED: "the thread has no pager and is killed",
        Fate.TRAMPOLINE: "the thread handles it itself",
        Fate.STUCK: "the thread has no handler and is stopped",
    }[fate]


def _fault_kind(error: int) -> str:
    if error & 16:
        kind = "fetch"
    else:
        kind = "write" if error & 2 else "read"
    return f"{kind} of {'a protected' if error & 1 else 'an unmapped'} page"


def describe_count(number: int, noun: str) -> str:
    """Say how many there are of something."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
