"""Why a value is what it is: its chain of origins, back to where it was made.

Every step is a fact of the run: who wrote the bytes last (programs and kernel), and which
instruction gave a register its value.  Plain moves are followed and counted, not told.

Rule 1: the timeline's cursor is where it was before when an answer is given.
Rule 2: an answer is bounded: so many origins, and so many instructions of a thread that are
looked at for each of them; where that ends, the answer says so.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from guest.host import HOST
from kernel.errors import UsageError
from kernel.events import Exception_, Fault, Invocation, Resumption, Transfer
from kernel.utcb import BR, BR_COUNT, MR_COUNT, WORDS, name_of
from lab.replay.halting import Instant
from lab.replay.instructions import (
    LONGEST,
    Constant,
    FromMemory,
    FromRegister,
    Input,
    Instruction,
    Source,
    read_instruction,
    whole_register,
    written_registers,
)
from lab.replay.timeline import Timeline
from lab.replay.touches import Touch

MOST_ORIGINS = 40
MOST_INSTRUCTIONS = 4096  # of a thread, looked at for one register
_WINDOW = 256

_PLACE = re.compile(
    r"(?P<field>mr|br)\[(?P<index>\d{1,3})\]"
    r"|\*(?P<address>0x[0-9a-f]{1,16})(?::(?P<size>\d{1,3}))?|(?P<register>[a-z0-9]{2,5})"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """One step back on the way of a value, and what is behind it."""

    kind: str  # copied, stored, computed; constant, input, known, unknown: the end
    at: Instant  # the last instant before it
    thread: str
    what: str
    place: str = ""  # in a program
    value: int | None = None
    moves: int = 0  # plain moves between this and what it explains
    behind: tuple["Origin", ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """The answer to a question."""

    thread: str
    what: str
    at: Instant
    value: int
    origins: tuple[Origin, ...]


@dataclass(slots=True)
class _Budget:
    left: int = MOST_ORIGINS
    seen: set[tuple[object, ...]] = field(default_factory=set)


def explain(timeline: Timeline, thread: int, what: str) -> Why:
    """Say where a value that a thread has at the cursor comes from.

    `what` is ``mr[1]``, ``br[0]``, a register, or ``*ADDRESS:SIZE``.  Raises UsageError for
    anything else, and for what is not mapped.
    """
    source = _parse(timeline, thread, what)
    at = timeline.at
    if isinstance(source, FromRegister):
        value = timeline.registers(thread)[source.name]
    else:
        data = timeline.read(timeline.task_of(thread), source.address, source.size)
        value = int.from_bytes(data, "little")
    name = timeline.names.of(thread)
    try:
        origins = _Tracer(timeline).follow(source, thread, at, 0)
    finally:
        timeline.seek(at)
    return Why(name, what, at, value, origins)


def _parse(timeline: Timeline, thread: int, what: str) -> FromRegister | FromMemory:
    word = timeline.log.word
    match = _PLACE.fullmatch(what.strip().lower())
    if match is not None and match["field"]:
        first, count = (0, MR_COUNT) if match["field"] == "mr" else (BR, BR_COUNT)
        index = int(match["index"])
        if index >= count:
            raise UsageError(f"{match['field']}[{index}] of {count}")
        return FromMemory(timeline.utcb_address(thread) + (first + index) * word, word)
    if match is not None and match["address"]:
        size = int(match["size"] or word)
        if not 0 < size <= word:
            raise UsageError(f"{size} bytes, not 1 to {word}")
        return FromMemory(int(match["address"], 16), size)
    if match is not None:
        name = whole_register(match["register"], word)
        if name in timeline.registers(thread):
            return FromRegister(name)
    raise UsageError(f"{what[:40]!a} is no mr[N], br[N], register or *ADDRESS:SIZE")


class _Tracer:
    """Follows one value."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._budget = _Budget()

    def follow(
        self, source: Source, thread: int, at: Instant, moves: int
    ) -> tuple[Origin, ...]:
        """Give the origins of a source as a thread has it at an instant."""
        budget = self._budget
        name = self._timeline.names.of(thread)
        key = (source, thread, at)
        if isinstance(source, Constant):
            text = f"the constant {source.value:#x}"
            return (Origin("constant", at, name, text, value=source.value, moves=moves),)
        if isinstance(source, Input):
            return (Origin("input", at, name, source.what, moves=moves),)
        if key in budget.seen:
            return (Origin("known", at, name, "told above", moves=moves),)
        if budget.left <= 0:
            return (Origin("unknown", at, name, "not followed any further", moves=moves),)
        budget.left -= 1
        budget.seen.add(key)
        if isinstance(source, FromRegister):
            return self._follow_register(source, thread, at, moves)
        return self._follow_memory(source, thread, at, moves)

    # -- memory -----------------------------------------------------------------

    def _follow_memory(
        self, source: FromMemory, thread: int, at: Instant, moves: int
    ) -> tuple[Origin, ...]:
        timeline = self._timeline
        timeline.seek(at)
        task = timeline.task_of(thread)
        name = timeline.names.of(thread)
        try:
            touch = timeline.last_writer(task, source.address, source.size, at)
        except UsageError:
            return (Origin("unknown", at, name, f"{source.address:#x} is not mapped"),)
        if touch is None:
            image = timeline.names.images.get(thread)
            inside = image is not None and image.segment_at(source.address) is not None
            what = "the program's own data" if inside else "nobody wrote it since boot"
            place = str(timeline.names.place(thread, source.address)) if inside else ""
            kind = "constant" if inside else "input"
            return (
                Origin(kind, Instant(0), name, what, place, self._value(source, task), moves),
            )
        if touch.by_kernel:
            return (self._follow_kernel(touch, source, thread, moves),)
        part = ""
        if touch.size < source.size:
            part = f" ({touch.size} of {source.size} bytes)"
        return self._follow_store(touch, moves, part)

    def _follow_store(self, touch: Touch, moves: int, part: str) -> tuple[Origin, ...]:
        timeline = self._timeline
        timeline.seek(touch.before)
        found = self._instruction(touch.thread, touch.ip)
        writer = timeline.names.of(touch.thread)
        place = str(timeline.names.place(touch.thread, touch.ip))
        if found is None:
            what = "an instruction that cannot be decoded"
            return (Origin("unknown", touch.before, writer, what, place, touch.value),)
        kind = "stored" if found.is_move else "computed"
        behind: tuple[Origin, ...] = ()
        if found.is_move and isinstance(found.sources[0], Constant):
            kind = "constant"
        else:
            behind = self._behind(found, touch.thread, touch.before, 0)
        return (
            Origin(
                kind, touch.before, writer, found.text + part, place, touch.value, moves, behind
            ),
        )

    def _follow_kernel(
        self, touch: Touch, source: FromMemory, thread: int, moves: int
    ) -> Origin:
        timeline = self._timeline
        log, names = timeline.log, timeline.names
        timeline.seek(touch.after)
        name = names.of(thread)
        value = self._value(source, timeline.task_of(thread))
        index = (source.address - timeline.utcb_address(thread)) // log.word
        word = name_of(index) if 0 <= index < WORDS else f"{source.address:#x}"
        event = None if touch.event is None else log.event(touch.event)
        if isinstance(event, Transfer):
            fault = self._fault_of(touch, event.sender)
            if fault is not None or event.sender not in timeline.threads():
                what = f"{word}: made by the kernel for {names.of(event.sender)}"
                return Origin("input", touch.before, name, what, value=value, moves=moves)
            what = f"{word}: message {names.of(event.sender)} → {names.of(event.receiver)}"
            place = str(names.place(event.sender, event.sender_ip))
            if event.sender == timeline.host:
                given = Origin("input", touch.before, HOST, "given by the test", value=value)
                return Origin("copied", touch.before, name, what, place, value, moves, (given,))
            timeline.seek(touch.before)
            address = timeline.utcb_address(event.sender) + index * log.word
            offset = source.address % log.word
            behind = self.follow(
                FromMemory(address + offset, source.size), event.sender, touch.before, 0
            )
            return Origin("copied", touch.before, name, what, place, value, moves, behind)
        if isinstance(event, Resumption):
            before = self._last_fault(touch)
            what = f"{word}: came back when a fault was over"
            behind = () if before is None else self.follow(source, thread, before, 0)
            return Origin("copied", touch.before, name, what, "", value, moves, behind)
        if isinstance(event, Invocation):
            what = f"{word}: answer of {names.of(event.target)}"
            place = str(names.place(event.thread, event.ip))
            return Origin("input", touch.before, name, what, place, value, moves)
        return Origin("input", touch.before, name, f"{word}: written by the kernel", "", value)

    def _fault_of(self, touch: Touch, thread: int) -> Fault | Exception_ | None:
        """Give the fault that a kernel's message tells of, if it is one."""
        assert touch.event is not None
        number = touch.event - 1
        log = self._timeline.log
        while number >= 0 and log.shown(number) == log.shown(touch.event):
            event = log.event(number)
            if isinstance(event, Fault | Exception_) and event.thread == thread:
                return event
            number -= 1
        return None

    def _last_fault(self, touch: Touch) -> Instant | None:
        assert touch.event is not None
        log = self._timeline.log
        resumed = log.event(touch.event)
        assert isinstance(resumed, Resumption)
        for number in reversed(range(touch.event)):
            event = log.event(number)
            if isinstance(event, Fault | Exception_) and event.thread == resumed.thread:
                return log.before(number)
        return None

    # -- registers --------------------------------------------------------------

    def _follow_register(
        self, source: FromRegister, thread: int, at: Instant, moves: int
    ) -> tuple[Origin, ...]:
        timeline = self._timeline
        name = timeline.names.of(thread)
        looked = 0
        while at > (0, 0) and looked < MOST_INSTRUCTIONS:
            trail = self._trail(thread, at)
            if not trail:
                break
            for instant, ip, code in reversed(trail):
                looked += 1
                if source.name not in written_registers(code, ip, word=timeline.log.word):
                    continue
                timeline.seek(instant)
                found = self._instruction(thread, ip)
                assert found is not None
                place = str(timeline.names.place(thread, ip))
                if found.is_move:
                    behind = self._behind(found, thread, instant, moves + 1)
                    if not isinstance(found.sources[0], Constant):
                        return behind
                    end = behind[0]
                    what = f"{end.what}: {found.text}"
                    return (Origin("constant", instant, name, what, place, end.value, moves),)
                behind = self._behind(found, thread, instant, 0)
                if len(found.sources) == 1 and isinstance(found.sources[0], Input):
                    what = f"{found.sources[0].what}: {found.text}"
                    return (Origin("input", instant, name, what, place, None, moves),)
                return (
                    Origin("computed", instant, name, found.text, place, None, moves, behind),
                )
            at = trail[0][0]
        what = f"{source.name} at the start of the thread"
        kind = "input"
        if looked >= MOST_INSTRUCTIONS:
            kind, what = "unknown", f"{source.name}: not within {looked} instructions"
        return (Origin(kind, at, name, what, moves=moves),)

    def _trail(self, thread: int, at: Instant) -> list[tuple[Instant, int, bytes]]:
        """List what a thread completed just before an instant: a window that is not empty."""
        timeline = self._timeline
        timeline.seek(at)
        last = timeline.previous_of(thread)
        if last == at:
            return []
        timeline.seek(last)
        if timeline.running != thread:
            return []
        timeline.step(-_WINDOW)
        trail: list[tuple[Instant, int, bytes]] = []
        while timeline.at <= last:
            here, running = timeline.at, timeline.running
            entry = None
            if running == thread:
                ip = timeline.ip(thread)
                entry = (here, ip, timeline.code(thread, ip, LONGEST))
            if not timeline.step():
                break
            if entry is not None and timeline.position > here.position:
                trail.append(entry)
        if not trail:
            return self._trail(thread, last)
        return trail

    # -- instructions -----------------------------------------------------------

    def _behind(
        self, found: Instruction, thread: int, at: Instant, moves: int
    ) -> tuple[Origin, ...]:
        origins: list[Origin] = []
        for source in found.sources:
            origins += self.follow(source, thread, at, moves)
        return tuple(origins)

    def _instruction(self, thread: int, ip: int) -> Instruction | None:
        timeline = self._timeline
        registers = timeline.registers(thread)
        code = timeline.code(thread, ip, LONGEST)
        return read_instruction(code, ip, registers, word=timeline.log.word)

    def _value(self, source: FromMemory, task: int) -> int:
        data = self._timeline.read(task, source.address, source.size)
        return int.from_bytes(data, "little")


def render_why(why: Why) -> list[str]:
    """Write an answer down, one origin a line, what is behind it further in."""
    lines = [f"{why.what} of {why.thread} at {why.at} is {why.value:#x}"]
    stack = [(origin, 1) for origin in reversed(why.origins)]
    while stack:
        origin, depth = stack.pop()
        value = "" if origin.value is None else f" = {origin.value:#x}"
        moves = f", through {origin.moves} moves" if origin.moves > 1 else ""
        place = f"  ({origin.place})" if origin.place else ""
        head = f"{origin.kind:<8} {origin.what}{value}{moves}"
        by = "" if origin.kind == "copied" else f"  by {origin.thread}"
        lines.append(f"{'  ' * depth}{head}{by}  at {origin.at}{place}")
        stack += [(each, depth + 1) for each in reversed(origin.behind)]
    return lines


def why_as_json(why: Why) -> dict[str, Any]:
    """Give an answer as what JSON can hold."""
    return {
        "schema": 1,
        "thread": why.thread,
        "what": why.what,
        "at": str(why.at),
        "value": f"{why.value:#x}",
        "origins": [_as_json(origin) for origin in why.origins],
    }


def _as_json(origin: Origin) -> dict[str, Any]:
    return {
        "kind": origin.kind,
        "at": str(origin.at),
        "thread": origin.thread,
        "what": origin.what,
        "place": origin.place,
        "value": None if origin.value is None else f"{origin.value:#x}",
        "moves": origin.moves,
        "behind": [_as_json(each) for each in origin.behind],
    }
