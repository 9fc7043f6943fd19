"""Provenance: where the registers got their values that an access made its address of.

Rule 1: a copy is the same value: moves between registers and memory, push and pop hand a
definition on, everything else makes a new one.  So what a callee saves and puts back is
not defined by it.
Rule 2: what a frame leaves in the result register when it returns, or stores into memory of
its callers, it hands out.
Rule 3: what cannot be seen, since a stretch is too long, counts as unknown, not as wrong.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import capstone

from emu.context import Context
from emu.errors import UsageError
from emu.machine import Machine, MachineConfig
from emu.traps import STEPPED, SYSTEM_CALL
from emu.watch import Watch
from guest.image import Image
from lab.checker.candidate import Candidate
from lab.checker.lives import Turn
from lab.checker.stream import Chain, Where
from lab.replay.leftovers import LeftoverTracker
from lab.replay.operation import Operation, take_apart
from lab.replay.uses import UseTracker

LONGEST = 20_000  # instructions of a stretch
_BEFORE = 2_000  # instructions before a call that belong to it, perhaps
_ANCESTORS = 32  # addresses that an address was computed of, one of the other
_HANDS = 4  # steps from frame to frame that are kept of a value


@dataclass(frozen=True, slots=True)
class Definition:
    """Where a value was made."""

    position: int
    depth: int
    pc: int
    chain: Chain
    is_tag: bool = False  # it is the result of the system call in between
    is_own: bool = False  # the UTCB's address as the segment base gives it
    hands: tuple["_Hand", ...] = ()  # how it came from frame to frame
    parents: tuple["Definition", ...] = ()  # addresses that it was computed of


class _Hand(NamedTuple):
    """A frame handed a value out: it returned, or stored it at an address."""

    position: int
    depth: int
    chain: Chain
    address: int  # -1: it returned


@dataclass(eq=False, slots=True)
class Origin:
    """What is known of a candidate's address, and of the system call in between."""

    is_known: bool = False  # all of the stretch was seen
    is_borrowed: bool = False  # the frame of the call in between has made the address
    is_lent: bool = False  # an older message's frame has
    may_be_lent: bool = False  # or the one address that the compiler uses for all
    is_consumed: bool = False  # the reader, or who called it, has looked at the call's result
    is_prepared: bool = False  # and has determined its tag or its target
    cycle: int = 0


class _Owner:
    """The frame that owns a turn, as the stretch goes through it."""

    __slots__ = ("chain", "depth", "entry", "exit", "sp", "turn")

    def __init__(self, turn: Turn, reader: Where) -> None:
        self.turn = turn
        self.depth = turn.depth
        self.chain = turn.chain
        call = turn.call.where
        if turn.is_open:
            # It may be any frame that the reader's has called; the outermost counts.
            is_called = call.depth > reader.depth
            self.depth = reader.depth + 1 if is_called else call.depth
            self.chain = () if is_called else call.leaf
        self.entry = -1
        self.exit = -1
        self.sp = 0

    def has(self, position: int, depth: int, chain: Chain) -> bool:
        """Whether an instruction is executed in the frame, or in one called by it."""
        if self.entry < 0 or position < self.entry or 0 <= self.exit < position:
            return False
        if depth != self.depth:
            return depth > self.depth
        return chain[: len(self.chain)] == self.chain

    def hands_out(self, hand: _Hand) -> bool:
        """Whether the frame handed a value out that way, to who called it or to memory."""
        if not self.has(hand.position, hand.depth, hand.chain):
            return False
        if hand.address < 0:
            return hand.depth == self.depth and hand.position > self.turn.call.position
        return hand.address >= self.sp


class Tracker:
    """Follows one thread through one candidate's stretch."""

    __slots__ = (
        "_calls",
        "_depth",
        "_frames",
        "_kept",
        "_last",
        "_memory",
        "_owners",
        "_reader",
        "_registers",
        "_result",
        "begin",
        "candidate",
        "end",
        "origin",
    )

    def __init__(self, candidate: Candidate, is_amd64: bool) -> None:
        self.candidate = candidate
        self.origin = Origin()
        clobber, lender = candidate.clobber, candidate.lender
        assert clobber is not None, "there is a call in between"
        first = candidate.message.position if candidate.message is not None else 0
        if lender is not None:
            first = min(first, lender.call.position - _BEFORE)
        self.end = candidate.position
        self.begin = max(first, self.end - LONGEST, 0)
        self.origin.is_known = clobber.call.position >= self.begin
        self._reader = candidate.where
        self._owners = [_Owner(clobber, candidate.where)]
        if lender is not None and _may_lend(lender, candidate.where):
            self._owners.append(_Owner(lender, candidate.where))
        self._calls = clobber.call.position
        self._registers: dict[str, Definition | None] = {}
        self._kept: dict[str, Definition | None] | None = None  # while they are a handler's
        self._memory: dict[int, Definition | None] = {}
        self._result = "rax" if is_amd64 else "eax"
        self._depth = -1
        self._frames: dict[int, tuple[int, int]] = {}  # by depth: since when, stack pointer
        self._last: dict[str, int] = {}  # by register: the depth where it was written last

    def enter(self, position: int, depth: int, sp: int) -> None:
        """Take note of where the thread is before an instruction."""
        if depth > self._depth:
            for each in range(self._depth + 1, depth + 1):
                self._frames[each] = position, sp
        elif depth < self._depth:
            for owner in self._owners:
                is_left = owner.entry >= 0 and owner.exit < 0 and depth < owner.depth
                if is_left and position > owner.turn.call.position:
                    owner.exit = position
        self._depth = depth

    def interrupt(self) -> None:
        """Take note that a handler of the thread's own begins: registers come back after it."""
        self._kept = dict(self._registers)

    def resume(self) -> None:
        """Take note that it has ended."""
        if self._kept is not None:
            self._registers, self._kept = self._kept, None

    def step(
        self,
        operation: Operation,
        position: int,
        depth: int,
        pc: int,
        chain: Chain,
        load: Callable[[str], int],
    ) -> None:
        """Take note of an instruction that is about to be executed."""
        if position == self.end:
            self._judge(operation)
            return
        self._consume(operation, position, depth, chain)
        if operation.copy is not None:
            self._copy(operation, position, depth, chain, load)
            return
        if operation.writes:
            parents: tuple[Definition, ...] = ()
            if operation.derives:
                known = (self._registers.get(register) for register in operation.reads)
                parents = tuple(each for each in known if each is not None and not each.is_tag)
            made = Definition(
                position, depth, pc, chain, is_own=operation.is_own, parents=parents
            )
            for register in operation.writes:
                self._registers[register] = made
                self._last[register] = depth
        if operation.is_return:
            self._hand_out(depth, position, chain)

    def called(self, position: int, registers: Iterable[str]) -> None:
        """Take note that a system call was entered."""
        reader = self._reader.depth
        for owner in self._owners:
            frame = self._frames.get(owner.depth)
            if position == owner.turn.call.position and frame is not None:
                owner.entry, owner.sp = frame
        if position == self._calls:
            for register in registers:
                known = self._registers.get(register)
                if known is None or known.depth <= reader:
                    self.origin.is_prepared = True
        is_tag = position == self._calls
        self._registers[self._result] = Definition(position, self._depth, 0, (), is_tag)

    def _consume(self, operation: Operation, position: int, depth: int, chain: Chain) -> None:
        if position <= self._calls or depth > self._reader.depth or operation.copy is not None:
            return
        if not self.candidate.is_open and self._owners[0].has(position, depth, chain):
            return  # an inlined function looks at the result of its own call
        for register in operation.reads:
            known = self._registers.get(register)
            if known is not None and known.is_tag:
                self.origin.is_consumed = True

    def _copy(
        self,
        operation: Operation,
        position: int,
        depth: int,
        chain: Chain,
        load: Callable[[str], int],
    ) -> None:
        assert operation.copy is not None
        source, target = operation.copy
        value: Definition | None
        if source == "memory":
            at = self._address(operation, load)
            value = self._memory.get(at, _ABSENT)
            if value is _ABSENT:
                value = Definition(position, depth, 0, chain)
        else:
            value = self._registers.get(source)
        if target == "memory":
            at = self._address(operation, load)
            value = _handed(value, _Hand(position, depth, chain, at))
            self._memory[at] = value
        else:
            self._registers[target] = value
            self._last[target] = depth

    def _address(self, operation: Operation, load: Callable[[str], int]) -> int:
        return operation.memory[0].address(load)

    def _hand_out(self, depth: int, position: int, chain: Chain) -> None:
        register = self._result
        if self._last.get(register, -1) >= depth:
            known = self._registers.get(register)
            self._registers[register] = _handed(known, _Hand(position, depth, chain, -1))

    def _judge(self, operation: Operation) -> None:
        names = [name for each in operation.memory for name in (each.base, each.scaled) if name]
        made = [known for name in names if (known := self._registers.get(name)) is not None]
        for known in _ancestors(made):
            for owner in self._owners:
                if not self._is_of(owner, known):
                    if known.is_own and owner.turn is self.candidate.lender:
                        self.origin.may_be_lent = True
                    continue
                if owner.turn is self.candidate.clobber:
                    self.origin.is_borrowed = True
                else:
                    self.origin.is_lent = True

    def _is_of(self, owner: _Owner, known: Definition) -> bool:
        """Whether an owner's frame has made a value or handed it out."""
        if any(owner.hands_out(hand) for hand in known.hands):
            return True
        if not owner.has(known.position, known.depth, known.chain):
            return False
        if known.is_own and owner.depth == self._reader.depth:
            # One load of the UTCB's address serves all functions that the compiler made
            # one of, so it says nothing; but nobody means to read the words of a request
            # that a function called by him has sent.
            is_lender = owner.turn is not self.candidate.clobber
            return is_lender and not self.candidate.is_delivery
        return True


def _ancestors(made: list[Definition]) -> list[Definition]:
    """Give definitions and what they were computed of, as far back as may matter."""
    found: list[Definition] = []
    while made and len(found) < _ANCESTORS:
        known = made.pop()
        found.append(known)
        made += known.parents
    return found


_ABSENT: Any = object()


def _may_lend(lender: Turn, reader: Where) -> bool:
    """Whether a turn's owner is a function that the reader's frame may have called."""
    if lender.is_open:
        return False
    chain = reader.chain(lender.depth) if lender.depth <= reader.depth else ()
    return lender.depth > reader.depth or lender.chain != chain[: len(lender.chain)]


def _handed(known: Definition | None, hand: _Hand) -> Definition:
    """Give a value that was handed out; one that is older than the stretch has no place."""
    if known is None:
        return Definition(-1, -1, 0, (), hands=(hand,))
    hands = (*known.hands[-_HANDS + 1 :], hand)
    return replace(known, hands=hands)


class TrackingMachine(Machine):
    """Runs as ever, but goes through the stretches of trackers step by step."""

    __slots__ = (
        "_calls",
        "_depths",
        "_disassembler",
        "_images",
        "_inside",
        "_marks",
        "_operations",
        "_trackers",
        "_uses",
        "cycles",
        "is_interrupted",
        "leftovers",
    )

    def __init__(self, config: MachineConfig) -> None:
        super().__init__(config)
        mode = capstone.CS_MODE_64 if config.arch == "amd64" else capstone.CS_MODE_32
        self._disassembler: Any = capstone.Cs(capstone.CS_ARCH_X86, mode)
        self._disassembler.detail = True
        self._operations: dict[tuple[int, int], Operation | None] = {}
        self._trackers: list[Tracker] = []
        self._uses: list[UseTracker] = []
        self.leftovers: list[LeftoverTracker] = []
        self._inside: set[int] = set()  # threads that are in a handler of their own
        self.is_interrupted: Callable[[int], bool] | None = None
        self._marks: list[int] = []  # positions, the last one first
        self._images: dict[int, Image] = {}
        self._depths: dict[int, int] = {}
        self._calls: Watch | None = None
        self.cycles: dict[int, int] = {}  # by position

    def follow(
        self,
        trackers: list[Tracker],
        uses: list[UseTracker],
        marks: Iterable[int],
        images: dict[int, Image],
    ) -> None:
        """Begin to go after candidates; `marks` are positions whose cycles are wanted."""
        self._uses = uses
        self._trackers = sorted(trackers, key=lambda each: each.begin)
        self._marks = sorted(set(marks), reverse=True)
        self._images = images
        self._calls = self.watch(range(0), lambda batch: None)

    def run(self, context: Context, deadline: int) -> int:
        """Run `context` until it traps or cycle `deadline` is reached, and say which."""
        while True:
            position = self.instructions
            self._mark(position)
            if self.is_interrupted is not None:
                self._turn(context.number, self.is_interrupted(context.number))
            active = self._active(context, position)
            uses = [
                each
                for each in self._uses
                if each.thread == context.number and each.is_active(position)
            ]
            leftovers = [
                each
                for each in self.leftovers
                if each.thread == context.number and each.is_active(position)
            ]
            if active or uses or leftovers:
                for leftover in leftovers:
                    operation = self._operation(context, context.ip)
                    leftover.step(operation, position, context.sp, context.load_register)
                trap = self._step(context, deadline, active, uses, position)
            else:
                following = self._next(context, position)
                if following is None:
                    return super().run(context, deadline)
                trap = self.run_until_position(context, deadline, following)
            if trap != STEPPED:
                return trap

    def _turn(self, thread: int, inside: bool) -> None:
        """Take note of whether a thread is in a handler of its own (ABI 5.5)."""
        if inside == (thread in self._inside):
            return
        (self._inside.add if inside else self._inside.discard)(thread)
        followers: list[Tracker | UseTracker | LeftoverTracker] = [
            *(each for each in self._trackers if each.candidate.thread == thread),
            *(each for each in self._uses if each.thread == thread),
            *(each for each in self.leftovers if each.thread == thread),
        ]
        for each in followers:
            if inside:
                each.interrupt()
            else:
                each.resume()

    def _mark(self, position: int) -> None:
        marks = self._marks
        while marks and marks[-1] <= position:
            mark = marks.pop()
            if mark == position:
                self.cycles[mark] = self.now

    def _active(self, context: Context, position: int) -> list[Tracker]:
        number = context.number
        return [
            each
            for each in self._trackers
            if each.candidate.thread == number and each.begin <= position <= each.end
        ]

    def _next(self, context: Context, position: int) -> int | None:
        number = context.number
        begins = [
            each.begin
            for each in self._trackers
            if each.candidate.thread == number and each.begin > position
        ]
        begins += [
            each.begin for each in self._uses if each.thread == number and each.begin > position
        ]
        begins += [
            each.begin
            for each in self.leftovers
            if each.thread == number and each.begin > position
        ]
        if self._marks:
            begins.append(self._marks[-1])
        return min(begins, default=None)

    def _step(
        self,
        context: Context,
        deadline: int,
        active: list[Tracker],
        uses: list[UseTracker],
        position: int,
    ) -> int:
        pc = context.ip
        # That is a frame below the code that it interrupts.
        depth = self._depth(context) + (context.number in self._inside)
        image = self._images.get(context.number)
        chain = image.scopes_at(pc) if image is not None else ()
        operation = self._operation(context, pc)
        load = context.load_register
        for tracker in active:
            tracker.enter(position, depth, context.sp)
            if operation is not None:
                tracker.step(operation, position, depth, pc, chain, load)
        for use in uses:
            if operation is not None:
                use.step(operation, position, load)
        trap = self.step(context, deadline)
        if trap == SYSTEM_CALL:
            names = ("rax", "rdx") if self.config.arch == "amd64" else ("eax", "edx")
            for tracker in active:
                tracker.called(self.instructions, names)
        return trap

    def _depth(self, context: Context) -> int:
        assert self._calls is not None
        calls = self._calls.recorder.calls
        path = calls.path_at(context.number, context.sp)
        depth = self._depths.get(path)
        if depth is None:
            frames = calls.frames(path)
            depth = sum(frame.sp if frame.is_mark else 1 for frame in frames)
            if frames and frames[-1].entry == self.config.call_page and self.config.call_page:
                depth -= 1
            self._depths[path] = depth
        return depth

    def _operation(self, context: Context, pc: int) -> Operation | None:
        key = context.space.number, pc
        if key not in self._operations:
            self._operations[key] = self._decode(context, pc)
        return self._operations[key]

    def _decode(self, context: Context, pc: int) -> Operation | None:
        code = b""
        for size in (15, 4096 - pc % 4096):
            try:
                code = self.read(context.space.number, pc, size)[:15]
                break
            except UsageError:
                continue
        for instruction in self._disassembler.disasm(code, pc, 1):
            return take_apart(instruction, self.config.arch == "amd64")
        return None
