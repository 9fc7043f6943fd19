"""The story of one finding, in the order in which it happened.

The message arrives, some of it is read, a nested call overwrites it, the rest is read, and
what comes of that leaves the thread.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from lab.checker.finding import Access, Finding, Message
from lab.views.finding import (
    GUTTER,
    Context,
    describe_message,
    headline,
    place,
    render_stack,
)
from lab.views.finding_json import access_as_json
from lab.views.layout import clamp, columns, indent, wrap
from lab.views.rules import RULES, anchor
from lab.views.text import printable


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened, and where in the run."""

    position: int
    kind: str  # message, read, store, call, copy, fault, consequence
    text: str
    access: Access | None = None  # with the stack, where there is one


def tell(finding: Finding) -> list[Step]:
    """Give the steps that led to a finding and followed from it, in their order."""
    steps: list[Step] = []
    message, clobber = finding.message, finding.clobber
    if message is not None:
        whose = f", and belongs to {message.owner}" if message.owner else ""
        words = "; ".join(f"mr[{k}] = {word:#x}" for k, word in enumerate(message.words))
        told = f"{describe_message(message).plain} arrives{whose}"
        steps.append(Step(message.born, "message", told + (f": {words}" if words else "")))
    for word in finding.words:
        if word.read is not None and word.delivered is not None:
            told = f"{word.register} is read while it still holds {word.delivered:#x}"
            steps.append(Step(word.read.position, "read", told, word.read))
    if clobber is not None:
        for store in clobber.stores:
            told = "a store for another message overwrites what was there"
            steps.append(Step(store.position, "store", told, store))
        if clobber.call is not None:
            told = _call(finding, clobber.message)
            steps.append(Step(clobber.call.position, "call", told, clobber.call))
        if clobber.delivery is not None:
            told = "the kernel copies what arrives into the same registers"
            steps.append(Step(clobber.delivery, "copy", told))
    steps.append(Step(finding.access.position, "fault", finding.summary, finding.access))
    for consequence in finding.consequences:
        told = (
            f"{consequence.what}: {consequence.actual}; with the message intact it would "
            f"have been {consequence.expected}"
        )
        steps.append(Step(consequence.position, "consequence", told))
    # Of steps at one position the order above is the order in time.
    return sorted(steps, key=lambda step: step.position)


def render_story(finding: Finding, context: Context) -> Iterator[Text]:
    """Render the story of a finding, with the stack where the message was lost."""
    width = clamp(context.width)
    rule = RULES[finding.rule]
    yield from wrap(headline(finding), width, hang=GUTTER)
    yield from wrap(Text(rule.title, style="bold"), width)
    yield from wrap(Text(rule.help), width)
    yield from wrap(Text(f"see {anchor(finding.rule)}", style="dim"), width)
    yield Text()
    steps = tell(finding)
    number = max(len(f"{step.position:,}") for step in steps)
    room = width - number - 2
    for step in steps:
        style = "bold red" if step.kind == "fault" else ""
        rows = [(Text(f"{step.position:,}", style="dim"), Text(printable(step.text), style))]
        # A single row is folded in its last column only.
        yield from columns([_padded(rows[0], number)], width)
        if step.access is not None:
            yield from (
                indent(line, number + 2)
                for line in _where(step, context, room, at=finding.function)
            )
    if finding.cure:
        yield Text()
        yield from wrap(Text.assemble(("CURE  ", "bold"), printable(finding.cure)), width)


def story_as_json(finding: Finding) -> list[dict[str, Any]]:
    """Give the story of a finding as plain data."""
    return [
        {
            "position": step.position,
            "kind": step.kind,
            "text": step.text,
            "access": None if step.access is None else access_as_json(step.access),
        }
        for step in tell(finding)
    ]


def _call(finding: Finding, nested: Message | None) -> str:
    if nested is None:
        return "another system call uses the message registers"
    does = "brings" if nested.receiver == finding.thread else "sends"
    return f"the system call that {does} {describe_message(nested).plain}"


def _padded(row: tuple[Text, Text], number: int) -> tuple[Text, Text]:
    return Text(" " * (number - row[0].cell_len)).append_text(row[0]), row[1]


def _where(step: Step, context: Context, width: int, *, at: str) -> Iterator[Text]:
    assert step.access is not None
    access = step.access
    if access.instruction:
        yield from wrap(Text(printable(access.instruction), style="yellow"), width)
    if step.kind in ("call", "fault"):
        yield from render_stack(access.stack, context, width, at=at)
    elif access.stack:
        frame = access.stack[0]
        where = place(frame.file, frame.line) or f"{frame.pc:#x}"
        yield from wrap(Text(f"in {printable(frame.function)}, {where}", style="dim"), width)
