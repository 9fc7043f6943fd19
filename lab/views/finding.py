"""The report of one finding, for people: what was read, what overwrote it, what to do.

The order is that of questions: what is wrong and where; which message was meant; who
overwrote it; what the words are; does it matter; how sure is this; what helps.

Colours: red what is wrong, green what would be right, yellow what was overwritten, dim
what only helps to find one's way.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from lab.checker.finding import Access, Clobber, Effect, Finding, Frame, Message, Verdict, Word
from lab.views.layout import GAP, clamp, columns, grid, indent, wrap
from lab.views.rules import RULES
from lab.views.text import describe_count, describe_label, printable

GUTTER = 10  # cells left of a report's text, for its labels
NARROW = 60  # below it labels stand above the text
VERDICTS = {
    Verdict.CONFIRMED: "bold red",
    Verdict.PROBABLE: "bold yellow",
    Verdict.LATENT: "bold cyan",
    Verdict.NOTE: "bold",
}
_BAD_STATES = ("STALE", "undefined")
_EFFECTS = {
    Effect.OBSERVABLE: "seen from outside the thread",
    Effect.NONE_SEEN: "not seen from outside the thread in this run",
    Effect.UNKNOWN: "not tried",
}


@dataclass(frozen=True, slots=True)
class Context:
    """What a report needs besides its finding."""

    command: tuple[str, ...]  # the scenario and the options that make the same run
    source: Callable[[str, int], str]  # a line of a file, empty if it is not known
    width: int  # of the terminal


def render_finding(finding: Finding, context: Context) -> Iterator[Text]:
    """Render the report of a finding, in lines that fit the width.

    Commands and the suppression are never folded: they are there to be copied.
    """
    width = clamp(context.width)
    yield from wrap(headline(finding), width, hang=GUTTER)
    yield from _section("", _about(finding), width)
    yield from _section(RULES[finding.rule].access, _access(finding, context, width), width)
    if finding.message is not None:
        yield from _section("MESSAGE", _message(finding, finding.message, width), width)
    if finding.clobber is not None:
        yield from _section(
            "CLOBBER", _clobber(finding, finding.clobber, context, width), width
        )
    yield from _section("UTCB", _words(finding.words, width), width)
    yield from _section("EFFECT", _effect(finding, width), width)
    yield from _section("CHECKS", _checks(finding, width), width)
    if finding.cure:
        yield from _section("CURE", iter([Text(printable(finding.cure))]), width)
    yield from _commands(finding, context, width)


def is_reported(finding: Finding) -> bool:
    """Answer whether a finding deserves its report, and not a line of a table only."""
    return finding.verdict is not Verdict.NOTE and not finding.suppressed


def headline(finding: Finding) -> Text:
    """Give the line that a finding is known by: verdict, rule, register and function."""
    where = f" ({place(finding.file, finding.line)})" if finding.file else ""
    return Text.assemble(
        (finding.id, "bold"),
        " ",
        (finding.verdict.value, VERDICTS[finding.verdict]),
        (f" {finding.rule} of {printable(finding.register)}", "bold"),
        (f" in {printable(finding.function) or 'unknown code'}", "bold"),
        where,
    )


def place(file: str, line: int) -> str:
    """Give a place in a source, short; empty if it is unknown."""
    name = printable(file.rstrip("/").rsplit("/", 1)[-1])
    return f"{name}:{line}" if name and line else name


def describe_message(message: Message) -> Text:
    """Say from whom to whom a message went."""
    via = f" through gate {printable(message.via)}" if message.via else ""
    words = describe_count(len(message.words), "word")
    items = f", {describe_count(message.items, 'item')}" if message.items else ""
    return Text.assemble(
        (printable(message.id), "bold"),
        f" {printable(message.sender) or '?'} → {printable(message.receiver) or '?'}{via}, "
        f"{words}{items}",
    )


def render_stack(
    stack: Sequence[Frame], context: Context, width: int, *, at: str
) -> Iterator[Text]:
    """Render a stack, the innermost frame first, each with its line of source if known.

    The source stands beside the frames if all of it fits there, else below them.  The
    function `at` is where the finding is.
    """
    rows = [
        (
            Text(f"#{k}", style="dim"),
            Text.assemble(
                (
                    printable(frame.function or frame.symbol) or "?",
                    "bold" if frame.function == at else "",
                ),
                (" (inlined)" if frame.inlined else "", "dim"),
            ),
            Text(place(frame.file, frame.line) or f"{frame.pc:#x}"),
            Text(_source(frame, context), style="italic"),
        )
        for k, frame in enumerate(stack)
    ]
    taken = [max((row[k].cell_len for row in rows), default=0) + GAP for k in range(4)]
    if sum(taken) - GAP <= width:
        yield from columns(rows, width)
        return
    for row, lines in zip(rows, grid([row[:3] for row in rows], width), strict=True):
        yield from lines
        if row[3]:
            yield from (indent(line, 4) for line in wrap(row[3], width - 4))


def suppression(finding: Finding) -> Iterator[str]:
    """Give the lines of TOML that suppress exactly this finding, but for the reason."""
    yield "[[suppress]]"
    for key, value in (
        ("rule", finding.rule.value),
        ("thread", finding.thread),
        ("function", finding.function),
        ("register", finding.register),
    ):
        yield f"{key} = {_toml_string(value)}"
    yield 'reason = ""'


def _inside(width: int) -> int:
    """Give the width of a report's text beside its labels, or below them if it is narrow."""
    return width - (GUTTER if width >= NARROW else 2)


def _section(label: str, lines: Iterator[Text], width: int) -> Iterator[Text]:
    gutter = width - _inside(width)
    first = True
    for given in lines:
        for line in wrap(given, width - gutter):
            if first and label:
                yield Text()
                if gutter < GUTTER:
                    yield Text(label, style="bold")
            shown = label if first and gutter == GUTTER else ""
            yield Text.assemble((f"{shown:<{gutter}}", "bold" if shown else ""), line)
            first = False


def _about(finding: Finding) -> Iterator[Text]:
    yield Text(printable(finding.summary))
    times = f", {finding.count:,} times" if finding.count > 1 else ""
    yield Text(
        f"thread {printable(finding.thread)} of task {printable(finding.task)}, "
        f"position {finding.access.position:,}, cycle {finding.access.cycle:,}{times}",
        style="dim",
    )
    if finding.suppressed:
        yield Text.assemble(("suppressed: ", "bold"), printable(finding.suppressed))


def _access(finding: Finding, context: Context, width: int) -> Iterator[Text]:
    access = finding.access
    space = "  " if access.instruction else ""
    yield Text.assemble(
        (f"{access.position:,}  ", "dim"),
        (printable(access.instruction) + space, "bold"),
        (f"at {access.pc:#x}", "dim"),
    )
    yield from render_stack(access.stack, context, _inside(width), at=finding.function)


def _message(finding: Finding, message: Message, width: int) -> Iterator[Text]:
    yield Text.assemble((f"{message.born:,}  ", "dim"), describe_message(message))
    parts = [f"protocol {describe_label(message.protocol)}", f"gate label {message.label:#x}"]
    if message.owner:
        parts.append(f"owned by {printable(message.owner)}")
    if message.died is not None:
        parts.append(f"dead since {message.died:,}")
    yield Text(", ".join(parts), style="dim")
    yield from _message_words(finding, message, _inside(width))


def _message_words(finding: Finding, message: Message, width: int) -> Iterator[Text]:
    known = {word.register: word for word in finding.words}
    rows: list[tuple[Text, ...]] = []
    for k, value in enumerate(message.words):
        name = f"mr[{k}]"
        word = known.get(name)
        here = word is not None and word.here
        fate = Text()
        if word is not None and word.delivered is not None:
            fate = _fate(word)
        rows.append(
            (
                Text(f"{'> ' if here else '  '}{name}", style="bold" if here else ""),
                Text(f"{value:#x}", style="green" if here else ""),
                fate,
            )
        )
    if any(row[2] for row in rows):
        yield from columns(rows, width, right=(1,))
        return
    # Nothing is known of them but their values: as many in a line as fit.
    widest = max((row[0].cell_len + row[1].cell_len + 3 for row in rows), default=1)
    across = max(1, width // widest)
    for first in range(0, len(rows), across):
        line = Text()
        for label, content, _ in rows[first : first + across]:
            space = " " * (widest - label.cell_len - content.cell_len - 1)
            line.append_text(label).append(" ").append_text(content).append(space)
        line.rstrip()
        yield line


def _fate(word: Word) -> Text:
    lost = word.state in _BAD_STATES
    if word.read is not None:
        frame = word.read.stack[0] if word.read.stack else None
        where = f", {place(frame.file, frame.line)}" if frame and frame.file else ""
        return Text(f"read at {word.read.position:,}{where}", style="dim")
    if word.unread:
        what = "never read before it was overwritten" if lost else "not read"
        return Text(what, style="yellow" if lost else "dim")
    if lost:
        return Text("overwritten", style="yellow")
    return Text("read" if word.state == "consumed" else "", style="dim")


def _clobber(
    finding: Finding, clobber: Clobber, context: Context, width: int
) -> Iterator[Text]:
    if clobber.message is not None:
        yield Text.assemble(
            (f"{clobber.message.born:,}  ", "dim"), describe_message(clobber.message)
        )
    rows = list(_stores(clobber.stores))
    if clobber.call is not None:
        call = clobber.call
        rows.append(_step(call.position, call.instruction or "system call", _leaf(call)))
    if clobber.delivery is not None:
        rows.append(_step(clobber.delivery, "the kernel's copy", ""))
    yield from columns(rows, _inside(width), right=(0,))
    stack = clobber.call.stack if clobber.call is not None else ()
    yield from render_stack(stack, context, _inside(width), at=finding.function)


def _stores(stores: Sequence[Access]) -> Iterator[tuple[Text, Text, Text]]:
    # A loop that copies a message is one line, not one for each byte.
    for (instruction, where), group in groupby(stores, lambda s: (s.instruction, _leaf(s))):
        same = list(group)
        times = f", {len(same)} times" if len(same) > 1 else ""
        yield _step(same[0].position, f"{instruction or 'store'}{times}", where)


def _step(position: int, what: str, where: str) -> tuple[Text, Text, Text]:
    return (
        Text(f"{position:,}", style="dim"),
        Text(printable(what), style="yellow"),
        Text(where, style="dim"),
    )


def _leaf(access: Access) -> str:
    if not access.stack:
        return f"at {access.pc:#x}"
    frame = access.stack[0]
    where = place(frame.file, frame.line) or f"{access.pc:#x}"
    return f"{printable(frame.function)} {where}".strip()


def _source(frame: Frame, context: Context) -> str:
    text = context.source(frame.file, frame.line) if frame.line else ""
    return printable(" ".join(text.split()))


def _words(words: Sequence[Word], width: int) -> Iterator[Text]:
    if not words:
        return
    head = ("  word", "delivered", "now", "last writer", "state")
    rows = [tuple(Text(name, style="dim") for name in head)]
    for word in words:
        bad = word.state in _BAD_STATES
        rows.append(
            (
                Text(
                    f"{'> ' if word.here else '  '}{printable(word.register)}",
                    style="bold" if word.here else "",
                ),
                Text(
                    "-" if word.delivered is None else f"{word.delivered:#x}",
                    style="green" if word.here and word.delivered is not None else "",
                ),
                Text(f"{word.now:#x}", style="red" if word.here and bad else ""),
                Text(printable(word.writer)),
                Text(
                    printable(word.state) + (" ← here" if word.here else ""),
                    style="bold red" if bad and word.here else "",
                ),
            )
        )
    yield from columns(rows, _inside(width), right=(1, 2))


def _effect(finding: Finding, width: int) -> Iterator[Text]:
    text = Text(_EFFECTS[finding.effect])
    if finding.consequences:
        text.append("; with the message intact it would have been:")
    yield text
    if finding.consequences:
        rows = [
            tuple(Text(x, style="dim") for x in ("position", "what", "was", "would have been"))
        ]
        rows += [
            (
                Text(f"{consequence.position:,}", style="dim"),
                Text(printable(consequence.what)),
                Text(printable(consequence.actual), style="red"),
                Text(printable(consequence.expected), style="green"),
            )
            for consequence in finding.consequences
        ]
        yield from columns(rows, _inside(width), right=(0,))


def _checks(finding: Finding, width: int) -> Iterator[Text]:
    rows = [(Text("attribution", style="dim"), Text(finding.attribution.value))]
    rows += [
        (Text(printable(what), style="dim"), Text(printable(result)))
        for what, result in finding.checks
    ]
    yield from columns(rows, _inside(width))


def _commands(finding: Finding, context: Context, width: int) -> Iterator[Text]:
    debug = ["l4lab", "debug", *context.command, "--at", str(finding.access.position)]
    explain = ["l4lab", "explain", *context.command[:1], finding.id, *context.command[1:]]
    gutter = width - _inside(width)
    yield Text()
    for label, lines in (
        ("REPLAY", [shlex.join(debug)]),
        ("WHY", [shlex.join(explain)]),
        ("SUPPRESS", list(suppression(finding))),
    ):
        if gutter < GUTTER:
            yield Text(label, style="bold")
        for k, line in enumerate(lines):
            shown = label if k == 0 and gutter == GUTTER else ""
            head = (f"{shown:<{gutter}}", "bold" if shown else "")
            yield Text.assemble(head, printable(line))


def _toml_string(text: str) -> str:
    """Write a basic string of TOML that is safe to print: all escapes are of code points."""
    parts = []
    for c in text:
        if c in '"\\':
            parts.append(f"\\{c}")
        elif c.isprintable():
            parts.append(c)
        elif 0xD800 <= ord(c) < 0xE000:
            parts.append("?")  # TOML has no surrogates; as a pattern this stands for one
        else:
            parts.append(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}")
    return '"' + "".join(parts) + '"'
