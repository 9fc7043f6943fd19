"""From candidates to findings: the verdict, and all that a report says.

Rule 1: a verdict follows from what is in a candidate and in its evidence, and from nothing
else: without evidence a wrong value is probable at most.
Rule 2: findings are in the order of their first positions, notes behind all others, and
their names follow it.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from kernel.abi import TAG_ITEMS, TAG_ITEMS_SHIFT, TAG_LABEL_SHIFT, TAG_WORDS, Arch
from kernel.events import words_of
from kernel.utcb import name_of
from lab.checker.candidate import Candidate, Row
from lab.checker.finding import (
    Access,
    Attribution,
    Clobber,
    Consequence,
    Effect,
    Finding,
    Frame,
    Message,
    Rule,
    Verdict,
    Word,
)
from lab.checker.lives import Store, Turn
from lab.checker.stream import Where, common
from lab.checker.wording import cure, summary

_MOST_STORES = 8  # that a report shows


class Symbols(Protocol):
    """What addresses and numbers mean."""

    def stack(self, thread: int, where: Where, *, behind: bool) -> tuple[Frame, ...]:
        """Give the frames at a place, the innermost first; `behind`: it is behind a call."""

    def name(self, number: int) -> str:
        """Name an object."""

    def task(self, thread: int) -> str:
        """Name the task of a thread."""

    def cycle(self, position: int) -> int:
        """Give the cycle at a position; 0 if it is not known."""

    def instruction(self, thread: int, pc: int) -> str:
        """Disassemble an instruction; empty if there is none."""

    def is_library(self, file: str) -> bool:
        """Whether a file is not the program's own."""


@dataclass(eq=False, slots=True)
class Evidence:
    """What a second look at a candidate has found."""

    is_exempt: bool = False  # it is no misuse at all
    attribution: Attribution = Attribution.CERTAIN
    effect: Effect = Effect.UNKNOWN
    lender: Turn | None = None  # whose message the address points into
    consequences: tuple[Consequence, ...] = ()
    checks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate with what is known of it."""

    candidate: Candidate
    evidence: Evidence


def judge(judged: list[Judged], symbols: Symbols, arch: Arch) -> tuple[Finding, ...]:
    """Make findings of candidates."""
    made = [
        _finding(each.candidate, each.evidence, symbols, arch)
        for each in judged
        if not each.evidence.is_exempt
    ]
    made = _without_repeated_notes(_merge_repeats(_merge_neighbours(made, arch)))
    made.sort(
        key=lambda each: (
            each.verdict is Verdict.NOTE,
            each.access.position,
            each.offset,
            each.rule,
        )
    )
    return tuple(
        replace(finding, id=f"F{number}") for number, finding in enumerate(made, start=1)
    )


def verdict_of(candidate: Candidate, evidence: Evidence) -> Verdict:
    """Say how sure it is that a candidate is a misuse that matters."""
    if candidate.is_note:
        return Verdict.NOTE
    if candidate.is_intact:
        return Verdict.LATENT
    if candidate.rule is Rule.BEYOND_COUNT and evidence.effect is Effect.NONE_SEEN:
        return Verdict.NOTE  # it was loaded, not used
    certain = evidence.attribution is Attribution.CERTAIN
    if certain and evidence.effect is Effect.OBSERVABLE:
        return Verdict.CONFIRMED
    return Verdict.PROBABLE


def common_frame(a: Where, b: Where) -> tuple[int, int]:
    """Give the innermost frame that two places of a thread are in.

    As its depth, and how many inlined functions deep it is in that frame.
    """
    depth = 0
    for x, y in zip(a.calls, b.calls, strict=False):
        if x != y:
            break
        depth += 1
    depth = min(depth, a.depth, b.depth)
    return depth, len(common(a.chain(depth), b.chain(depth)))


def frame_at(stack: tuple[Frame, ...], where: Where, depth: int, inlined: int) -> Frame:
    """Find a frame of `common_frame` in the stack of a place."""
    outer = sum(1 + len(where.chain(k)) for k in range(depth))
    index = len(stack) - 1 - outer - inlined
    return stack[max(index, 0)]


def _finding(candidate: Candidate, evidence: Evidence, symbols: Symbols, arch: Arch) -> Finding:
    thread, where = candidate.thread, candidate.where
    stack = symbols.stack(thread, where, behind=candidate.is_call)
    place = _place(candidate, stack, symbols)
    clobber = _clobber(candidate, symbols, arch)
    register = register_name(candidate.offset, candidate.size, arch)
    rule = candidate.rule
    if rule is Rule.REPLY_CAPABILITY_LOST:
        register = "reply capability"
    site = clobber.call.stack if clobber is not None and clobber.call is not None else ()
    finding = Finding(
        id="",
        rule=rule,
        verdict=verdict_of(candidate, evidence),
        attribution=evidence.attribution,
        effect=evidence.effect,
        thread=symbols.name(thread),
        task=symbols.task(thread),
        register=register,
        offset=candidate.offset,
        size=candidate.size,
        function=place.function,
        file=place.file,
        line=place.line,
        access=Access(
            candidate.position,
            candidate.cycle or symbols.cycle(candidate.position),
            where.pc,
            "" if candidate.is_call else symbols.instruction(thread, where.pc),
            stack,
        ),
        summary="",
        expected=_number(candidate.expected),
        actual=_number(candidate.actual),
        message=_message(candidate.message, symbols, arch),
        clobber=clobber,
        words=tuple(_word(row, candidate, symbols, arch) for row in candidate.rows),
        consequences=evidence.consequences,
        checks=(*candidate.checks.items(), *evidence.checks),
        cure=cure(rule),
        count=candidate.count,
        identity=(
            rule.value,
            symbols.task(thread),
            place.function,
            register,
            f"{site[0].function}+{site[0].pc:#x}" if site else "",
        ),
    )
    return replace(finding, summary=summary(finding, symbols.name(candidate.receiver)))


def _place(candidate: Candidate, stack: tuple[Frame, ...], symbols: Symbols) -> Frame:
    """Say in which function and line the misuse is."""
    clobber, where = candidate.clobber, candidate.where
    if candidate.rule is Rule.SETUP_CLOBBERED and clobber is not None:
        # Where what was set up and the call that spoilt it come together.
        if clobber.is_alive_at(candidate.position):
            return _own(stack, symbols)  # a message that came before a late reply
        depth, inlined = common_frame(candidate.stores[0].where, clobber.call.where)
        site = clobber.call.where
        return frame_at(
            symbols.stack(candidate.thread, site, behind=True), site, depth, inlined
        )
    if candidate.rule is Rule.COUNT_MISMATCH and candidate.stores:
        store = candidate.stores[0].where
        return _own(symbols.stack(candidate.thread, store, behind=False), symbols)
    if candidate.rule is Rule.LEAKED_WORD or clobber is None:
        return _own(stack, symbols)
    depth, inlined = common_frame(where, clobber.call.where)
    return frame_at(stack, where, depth, inlined)


def _own(stack: tuple[Frame, ...], symbols: Symbols) -> Frame:
    return next((frame for frame in stack if not symbols.is_library(frame.file)), stack[0])


def _clobber(candidate: Candidate, symbols: Symbols, arch: Arch) -> Clobber | None:
    turn = candidate.clobber
    if turn is None:
        return None
    call = turn.call
    return Clobber(
        _message(turn, symbols, arch),
        tuple(_store(store, turn.thread, symbols) for store in candidate.stores[:_MOST_STORES]),
        turn.position if candidate.is_delivery and turn.received else None,
        Access(
            call.position,
            call.cycle,
            call.where.pc,
            "",
            symbols.stack(turn.thread, call.where, behind=True),
        ),
    )


def _store(store: Store, thread: int, symbols: Symbols) -> Access:
    where = store.where
    return Access(
        store.position,
        symbols.cycle(store.position),
        where.pc,
        symbols.instruction(thread, where.pc),
        symbols.stack(thread, where, behind=False),
    )


def _message(turn: Turn | None, symbols: Symbols, arch: Arch) -> Message | None:
    if turn is None:
        return None
    call = turn.call
    stack = symbols.stack(turn.thread, call.where, behind=True)
    owner = frame_at(stack, call.where, min(turn.depth, call.where.depth), len(turn.chain))
    if turn.received:
        tag = turn.tag
        return Message(
            id=f"M{turn.incoming}",
            sender=symbols.name(turn.sender),
            receiver=symbols.name(turn.thread),
            via=symbols.name(turn.via) if turn.via else "",
            label=turn.label,
            protocol=_protocol(tag, arch),
            words=words_of(turn.payload, arch.word)[: tag & TAG_WORDS],
            items=tag >> TAG_ITEMS_SHIFT & TAG_ITEMS,
            born=turn.position,
            cycle=turn.cycle,
            owner=owner.function,
            died=turn.died,
        )
    tag = call.tag
    return Message(
        id=f"M{turn.outgoing}",
        sender=symbols.name(turn.thread),
        receiver=symbols.name(turn.receiver) if turn.receiver else "",
        via="",
        label=0,
        protocol=_protocol(tag, arch),
        words=turn.sent,
        items=tag >> TAG_ITEMS_SHIFT & TAG_ITEMS,
        born=turn.stores[0].position if turn.stores else call.position,
        cycle=call.cycle,
        owner=owner.function,
        died=turn.died,
    )


def _protocol(tag: int, arch: Arch) -> int:
    bits = arch.bits - TAG_LABEL_SHIFT
    label = tag >> TAG_LABEL_SHIFT
    return label - (1 << bits) if label >> (bits - 1) else label


def _word(row: Row, candidate: Candidate, symbols: Symbols, arch: Arch) -> Word:
    low = row.index * arch.word
    here = low < candidate.offset + candidate.size and candidate.offset < low + arch.word
    writer = row.writer
    if writer is None:
        text = "never written"
    elif isinstance(writer, Turn):
        text = f"kernel, M{writer.incoming}"
    else:
        frame = symbols.stack(candidate.thread, writer.where, behind=False)[0]
        text = f"{frame.function} at {frame.pc:#x}"
    meant = candidate.message
    is_wrong = candidate.expected is not None and not candidate.is_intact
    if here and is_wrong:
        state = "STALE"
    elif isinstance(writer, Store) and writer.returns is not None:
        state = "saved"
    elif isinstance(writer, Store) and (row.delivered is None or row.delivered != row.now):
        state = "own"
    elif row.delivered is None:
        state = "undefined"
    elif row.is_read:
        state = "consumed"
    elif writer is meant or row.delivered == row.now:
        state = "intact"
    else:
        state = "STALE"
    return Word(name_of(row.index), row.delivered, row.now, text, state, here)


def register_name(offset: int, size: int, arch: Arch) -> str:
    """Name the registers that bytes of a UTCB belong to: ``mr[1]``, ``mr[1..2]``."""
    first = offset // arch.word
    last = (offset + max(size, 1) - 1) // arch.word
    name = name_of(first)
    if last == first:
        return name
    field, _, index = name.partition("[")
    other, _, end = name_of(last).partition("[")
    if field == other and index:
        return f"{field}[{index[:-1]}..{end}"
    return f"{name}..{name_of(last)}"


def _number(data: bytes | None) -> int | None:
    return None if data is None else int.from_bytes(data, "little")


def _merge_neighbours(made: list[Finding], arch: Arch) -> list[Finding]:
    """Make one finding of registers side by side that one line gets wrong alike."""
    made = sorted(made, key=lambda each: (each.offset, each.access.position))
    merged: list[Finding] = []
    for finding in made:
        for at, known in enumerate(merged):
            if known.offset + known.size == finding.offset and _alike(known, finding):
                merged[at] = _join(known, finding, arch)
                break
        else:
            merged.append(finding)
    return merged


def _alike(a: Finding, b: Finding) -> bool:
    return (
        (a.rule, a.verdict, a.thread, a.function, a.file, a.line, a.identity[4])
        == (b.rule, b.verdict, b.thread, b.function, b.file, b.line, b.identity[4])
        and (a.expected is None) == (b.expected is None)
        and (a.actual is None) == (b.actual is None)
    )


def _join(a: Finding, b: Finding, arch: Arch) -> Finding:
    shift = 8 * a.size
    size = a.size + b.size
    register = register_name(a.offset, size, arch)
    if a.rule is Rule.REPLY_CAPABILITY_LOST:
        register = a.register
    first = a if a.access.position <= b.access.position else b
    clobber = first.clobber
    if clobber is not None and a.clobber is not None and b.clobber is not None:
        stores = {each.position: each for each in (*a.clobber.stores, *b.clobber.stores)}
        clobber = replace(clobber, stores=tuple(stores[k] for k in sorted(stores)))
    return replace(
        first,
        register=register,
        offset=a.offset,
        size=size,
        expected=_joined(a.expected, b.expected, shift),
        actual=_joined(a.actual, b.actual, shift),
        clobber=clobber,
        words=tuple(
            replace(x, here=x.here or y.here) if x.register == y.register else x
            for x, y in zip(first.words, (b if first is a else a).words, strict=False)
        ),
        consequences=first.consequences or a.consequences or b.consequences,
        count=max(a.count, b.count),
        identity=(*first.identity[:3], register, first.identity[4]),
    )


def _joined(low: int | None, high: int | None, shift: int) -> int | None:
    return None if low is None or high is None else low | high << shift


def _merge_repeats(made: list[Finding]) -> list[Finding]:
    order = list(Verdict)
    known: dict[tuple[object, ...], Finding] = {}
    for finding in sorted(made, key=lambda each: each.access.position):
        key = (*finding.identity, finding.verdict is Verdict.NOTE)
        before = known.get(key)
        if before is None:
            known[key] = finding
            continue
        worse = min(before, finding, key=lambda each: order.index(each.verdict))
        known[key] = replace(worse, count=before.count + finding.count)
    return list(known.values())


def _without_repeated_notes(made: list[Finding]) -> list[Finding]:
    """Drop notes of calls and words that another finding tells all of."""
    told = {
        clobber.call.pc
        for finding in made
        if finding.verdict is not Verdict.NOTE and (clobber := finding.clobber) is not None
        if clobber.call is not None
    }
    return [
        finding
        for finding in made
        if finding.verdict is not Verdict.NOTE
        or finding.rule is not Rule.HIDDEN_IPC
        or finding.access.pc not in told
    ]
