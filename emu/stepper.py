"""What lies between a CPU that stops somewhere and a trap at an exact place.

Rule 1: a stop inside a block gives back what the block has not completed, and its
continuation takes it again: `held` says where that is.
Rule 2: stepping accounts exactly as running does; it only takes longer.
Rule 3: faults that exist because of how the machine is built (frames that change between
code and data, translations that reach into the next page) are resolved here and cost
nothing.
"""

from emu.blocks import NOWHERE, Block
from emu.clock import Clock
from emu.context import LABEL, SELECTOR, TAG, TIMEOUT, Context, Held
from emu.cost import CYCLE_SHIFT, TRAP_TICKS
from emu.decode import LONGEST, End, Step, step_of
from emu.engine import (
    AX,
    CALLED,
    CX,
    DX,
    ENDLESS,
    FLAGS,
    IP,
    R8,
    R11,
    R15,
    RAISED,
    SI,
    SP,
    Engine,
    Fault,
    Inside,
    Stop,
)
from emu.memory import PAGE
from emu.paging import EXECUTE_RIGHT, WRITE_RIGHT
from emu.predict import Predictor
from emu.recorder import Recorder
from emu.spaces import Spaces
from emu.traps import (
    AMD64_SCRATCH,
    BREAKPOINT,
    DEADLINE,
    DEBUG,
    EXCEPTION,
    FAULT_FETCH,
    FAULT_PRESENT,
    FAULT_WRITE,
    IA32_SCRATCH,
    INVALID_OPCODE,
    OVERFLOW,
    PAGE_FAULT,
    STEPPED,
    SYSTEM_CALL,
    WITH_ERROR_CODE,
)
from emu.traps import PAGE as PAGE_VECTOR

TRAP_FLAG = 0x100

_TIMEOUTS = 0xFFFF_FFFF  # of r8

_RDTSCP = b"\x0f\x01\xf9"
_CALL = -2  # in place of a vector: the instruction was a system call
_AFTER = frozenset((DEBUG, BREAKPOINT, OVERFLOW))  # exceptions raised behind the instruction


class Stepper:
    """Accounts for stops and executes single instructions."""

    __slots__ = (
        "_amd64",
        "_clock",
        "_engine",
        "_mask",
        "_predictor",
        "_runner",
        "_spaces",
        "passed",
        "recorder",
        "until",
    )

    def __init__(
        self,
        clock: Clock,
        engine: Engine,
        spaces: Spaces,
        predictor: Predictor,
        is_amd64: bool,
    ) -> None:
        self._clock = clock
        self._predictor = predictor
        self._engine = engine
        self._runner = engine.runner
        self._spaces = spaces
        self._amd64 = is_amd64
        self._mask = (1 << 64) - 1 if is_amd64 else (1 << 32) - 1
        self.recorder: Recorder | None = None
        self.until = ENDLESS  # `walk` stops at this position
        self.passed = -1  # no break counts at this one

    def called(self, context: Context) -> int:
        """Finish a system call: the hot end of every IPC."""
        # Compiled, `words` in a variable costs more than to look for it each time.
        cpu = context.cpu
        context.held = None
        context.trap = SYSTEM_CALL
        context.registers[TAG] = cpu.words[AX]
        context.registers[SELECTOR] = cpu.words[DX]
        context.registers[LABEL] = cpu.words[SI]
        if self._amd64:
            context.registers[TIMEOUT] = cpu.words[R8] & _TIMEOUTS
            cpu.words[CX] = cpu.words[IP]
            cpu.words[R11] = cpu.words[FLAGS]
            cpu.words[R15] = AMD64_SCRATCH
        else:
            context.registers[TIMEOUT] = cpu.words[CX]
            cpu.words[CX] = IA32_SCRATCH
        self._clock.ticks += TRAP_TICKS
        return SYSTEM_CALL

    def resume(self, context: Context) -> Inside | None:
        """Find the block that a context stands in, and take again what was given back."""
        held = context.held
        context.held = None
        if held is None or held.ip != context.cpu.words[IP]:
            return None
        block = context.blocks.block(held.start)
        if block is None or (index := block.index_of(held.ip)) == NOWHERE:
            return None
        self._clock.instructions += block.count - index
        repeats = held.repeats and block.end is End.REPEAT and index == block.count - 1
        return Inside(block, index, repeats)

    def settle(self, context: Context) -> None:
        """Account for a stop between two translations."""
        stop = self._runner.stopped()
        ip = context.cpu.words[IP]
        if stop.expected == NOWHERE or stop.expected != ip:
            return
        chain = self._chain(context, stop)
        block = chain[len(chain) - 1]
        self._hold(context, block, block.index_of(ip), stop.repeats)

    def learn(self, context: Context) -> bool:
        """Enter the unknown translation; false if its block has to be walked."""
        runner = self._runner
        stop = runner.stopped()
        if stop.expected == NOWHERE or stop.expected != runner.place:
            return context.blocks.learn(runner.place, runner.place_size)
        chain = self._chain(context, stop)
        block = chain[len(chain) - 1]
        if not context.blocks.learn_tail(runner.place, runner.place_size, block):
            return False
        self.settle(context)
        return True

    def walk(self, context: Context, limit: int) -> int | None:
        """Step to the end of the block; None if that is reached without a trap."""
        while self._clock.instructions < self.until:
            if self.is_break(context):
                return STEPPED
            trap = self.step(context, limit)
            if trap != STEPPED:
                return trap
            if context.held is None:
                return None
        return STEPPED

    def is_break(self, context: Context) -> bool:
        """Tell whether a context stands at a break that counts."""
        breaks = context.blocks.breaks
        if not breaks or self._clock.instructions == self.passed:
            return False
        return context.cpu.words[IP] in breaks

    def raised(self, context: Context, limit: int) -> int | None:
        """Account for an exception while running; None if the run can go on."""
        cpu = context.cpu
        stop = self._runner.stopped()
        fault = self._runner.fault(cpu)
        ip = cpu.words[IP]
        chain = self._chain(context, stop)
        if fault.vector == DEBUG:
            return self._single_stepped(context, fault, chain, stop.expected)
        for place, block in enumerate(chain):
            index = block.index_of(ip)
            if index != NOWHERE:
                for later in chain[place + 1 :]:
                    self._clock.ticks -= later.ticks
                    self._clock.instructions -= later.count
                cpu.previous = block.start
                cpu.branch = block.branch
                self._hold(context, block, index, False)
                break
        if fault.vector == PAGE_VECTOR:
            if fault.error & FAULT_FETCH:
                if self._turn_to_code(context, fault):
                    return None
                if (fault.address ^ ip) & self._mask & -PAGE:
                    # Perhaps only the translation got so far.  Go there one by one.
                    return self.walk(context, limit)
            elif self._is_code_write(context, fault):
                if not self._writes_own(context, fault):
                    self._turn_to_data(context, fault)
                    return None
                return self.walk(context, limit)
        elif fault.vector == INVALID_OPCODE and self._reads_clock(context):
            return self.walk(context, limit)
        return self._report(context, fault)

    def step(self, context: Context, limit: int) -> int:
        """Execute one instruction or repetition, charging as a run does."""
        clock, words = self._clock, context.cpu.words
        ip = words[IP]
        inside = self.resume(context)
        if self.recorder is not None:
            self.recorder.calls.switch(context.cpu.number)
            if inside is None:
                self.recorder.calls.unwind(words[SP])
        if inside is None:
            block = context.blocks.block(ip)
            if block is not None:
                if clock.ticks >= limit:
                    return DEADLINE
                cpu = context.cpu
                if self.recorder is not None and self.recorder.tally is not None:
                    self.recorder.tally.enter(ip, clock.ticks, clock.instructions)
                if cpu.branch:
                    clock.ticks += self._predictor.judge(cpu.branch, ip != cpu.branch)
                if context.blocks.is_first(block):
                    clock.ticks += block.first
                    context.blocks.take_in(block)
                else:
                    clock.ticks += block.again if cpu.previous == ip else block.ticks
                cpu.previous = block.start
                cpu.branch = block.branch
                clock.instructions += block.count
                inside = Inside(block, 0, False)
        elif inside.repeats and words[CX] & inside.block.counter_mask:
            if clock.ticks >= limit:
                self._hold(context, inside.block, inside.index, True)
                return DEADLINE
            clock.ticks += inside.block.repetition
        if inside is not None and inside.block.raises is not None and inside.left == 1:
            return self._raise(context, inside.block)
        return self._execute(context, inside)

    # -- accounting -------------------------------------------------------------

    def _chain(self, context: Context, stop: Stop) -> tuple[Block, ...]:
        if stop.charged or stop.current == NOWHERE:
            return stop.charged
        block = context.blocks.block(stop.current)
        return () if block is None else (block,)

    def _hold(self, context: Context, block: Block, index: int, repeats: bool) -> None:
        if index == NOWHERE:
            return  # the emulator and the decoder differ: what follows is a new block
        self._clock.instructions -= block.count - index
        context.held = Held(block.start, block.start + block.offsets[index], repeats)

    def _block_at(self, context: Context) -> Block | None:
        held = context.held
        if held is not None:
            return context.blocks.block(held.start)
        return context.blocks.block(context.cpu.words[IP])

    def _single_stepped(
        self, context: Context, fault: Fault, chain: tuple[Block, ...], expected: int
    ) -> int:
        """Account for the debug exception behind an instruction that had the trap flag."""
        ip = context.cpu.words[IP]
        block = chain[len(chain) - 1] if chain else None
        if block is not None and block.end is End.SYSTEM_CALL and ip == block.stop:
            return self.called(context)  # entering the kernel, which masks the flag
        if block is not None and expected == ip:
            self._hold(context, block, block.index_of(ip), False)
        return self._report(context, fault)

    def _report(self, context: Context, fault: Fault) -> int:
        self._clock.ticks += TRAP_TICKS
        if fault.vector == PAGE_VECTOR:
            context.address = fault.address & self._mask
            context.error = fault.error
            context.vector = PAGE_VECTOR
            return PAGE_FAULT
        if fault.vector in _AFTER:
            context.held = None
        context.vector = fault.vector
        context.error = fault.error if fault.vector in WITH_ERROR_CODE else 0
        return EXCEPTION

    def _raise(self, context: Context, block: Block) -> int:
        """Give the exception that the block's last instruction always raises."""
        assert block.raises is not None
        if block.raises.after:
            context.cpu.words[IP] = block.stop & self._mask
        else:
            self._hold(context, block, block.count - 1, False)
        return self._report(context, Fault(block.raises.vector, block.raises.error, 0))

    # -- one instruction --------------------------------------------------------

    def _execute(self, context: Context, inside: Inside | None) -> int:
        """Execute the instruction at the ip, which is charged; account for its outcome."""
        cpu, engine = context.cpu, self._engine
        ip = cpu.words[IP]
        if self.recorder is not None:
            left = 0 if inside is None else inside.left
            self.recorder.at = self._clock.instructions - left
        opened: list[int] = []
        while True:
            fault = self._try(context, ip)
            if fault is None or fault.vector != PAGE_VECTOR:
                break
            if fault.error & FAULT_FETCH:
                if not self._turn_to_code(context, fault):
                    break
            elif not self._is_code_write(context, fault):
                break
            elif self._writes_own(context, fault):
                page = fault.address & -PAGE
                opened.append(page)
                self._spaces.open(context.space, page)
                engine.forget_code()
            else:
                self._turn_to_data(context, fault)
        for address in opened:
            self._spaces.close(context.space, address)
        if opened:
            engine.forget_code()
        return self._completed(context, inside, fault, ip, own_code=bool(opened))

    def _completed(
        self,
        context: Context,
        inside: Inside | None,
        fault: Fault | None,
        ip: int,
        own_code: bool,
    ) -> int:
        words = context.cpu.words
        now = words[IP]
        if fault is not None and fault.vector == DEBUG and _ends_in_call(inside):
            fault = Fault(_CALL, 0, 0)  # entering the kernel masks the trap flag
        if fault is not None and fault.vector == _CALL:
            return self.called(context)
        stepped = fault is None or fault.vector == DEBUG
        if inside is None:
            self._clock.instructions += stepped
        else:
            block, index = inside.block, inside.index
            if not stepped:
                self._hold(context, block, index, False)
            elif now == ip and block.end is End.REPEAT and inside.left == 1:
                self._hold(context, block, index, True)
            elif inside.left > 1 and now == block.start + block.offsets[index + 1]:
                self._hold(context, block, index + 1, False)
            else:
                self._clock.instructions -= inside.left - 1
                if self.recorder is not None and block.end is End.CALL and inside.left == 1:
                    calls = self.recorder.calls
                    calls.enter(block.last, block.stop, now, words[SP])
        if own_code:
            # Its block may have changed below it: what follows is a block of its own.
            context.held = None
        if fault is not None:
            return self._report(context, fault)
        return STEPPED

    def _try(self, context: Context, ip: int) -> Fault | None:
        """Execute one instruction; give the exception that came instead, if any."""
        cpu, engine = context.cpu, self._engine
        if not cpu.ready:
            engine.prepare(cpu)
        code = self._spaces.fetch(context.space, ip, LONGEST)
        how = step_of(code, is_amd64=self._amd64)
        own_flag = bool(cpu.words[FLAGS] & TRAP_FLAG)
        event = self._runner.step(cpu, self._clock.ticks, how is Step.ALONE)
        if event == CALLED:
            return Fault(_CALL, 0, 0)
        if event == RAISED:
            fault = self._runner.fault(cpu)
            # Going to the next instruction is not part of this one.
            if how is Step.ALONE and cpu.words[IP] != ip and fault.vector != DEBUG:
                return None
            if fault.vector == INVALID_OPCODE and self._reads_clock(context):
                self._read_clock(context)
                return None
            return fault
        if how is Step.PUSH_FLAGS and not own_flag:
            self._hide_trap_flag(context, code)
        return None

    def _reads_clock(self, context: Context) -> bool:
        code = self._spaces.fetch(context.space, context.cpu.words[IP], len(_RDTSCP))
        return code == _RDTSCP

    def _read_clock(self, context: Context) -> None:
        """Execute rdtscp, which the emulated CPU model lacks and real ones have."""
        words, now = context.cpu.words, self._clock.ticks >> CYCLE_SHIFT
        words[AX] = now & 0xFFFF_FFFF
        words[DX] = now >> 32 & 0xFFFF_FFFF
        words[CX] = 0
        words[IP] = words[IP] + len(_RDTSCP) & self._mask

    def _hide_trap_flag(self, context: Context, code: bytes) -> None:
        """Take the flag we set out of what the instruction pushed."""
        base = 0 if self._amd64 else self._engine.load_register(context.cpu, "ss_base")
        address = (context.cpu.words[SP] + base + 1) & self._mask
        pushed = self._spaces.read(context.space, address, 1)
        self._spaces.write(context.space, address, bytes((pushed[0] & ~1,)))
        if self.recorder is not None:
            self.recorder.load_again()

    # -- frames that hold code --------------------------------------------------

    def _turn_to_code(self, context: Context, fault: Fault) -> bool:
        """Let a page be executed again, if it may and if this instruction is in it."""
        address = fault.address & self._mask
        page = self._spaces.lookup(context.space, address)
        if page is None or not page.rights & EXECUTE_RIGHT:
            return False
        if page.frame not in self._spaces.data_frames:
            return False
        if address & -PAGE not in self._own_pages(context):
            return False
        self._spaces.turn(page.frame, to_data=False)
        self._engine.forget_code()
        return True

    def _is_code_write(self, context: Context, fault: Fault) -> bool:
        wanted = FAULT_PRESENT | FAULT_WRITE
        if fault.error & wanted != wanted:
            return False
        page = self._spaces.lookup(context.space, fault.address & self._mask)
        return (
            page is not None
            and bool(page.rights & WRITE_RIGHT)
            and self._spaces.is_code(page.frame)
        )

    def _writes_own(self, context: Context, fault: Fault) -> bool:
        written = self._spaces.lookup(context.space, fault.address & self._mask)
        own = (self._spaces.lookup(context.space, page) for page in self._own_pages(context))
        return any(written and page and written.frame == page.frame for page in own)

    def _turn_to_data(self, context: Context, fault: Fault) -> None:
        page = self._spaces.lookup(context.space, fault.address & self._mask)
        assert page is not None
        self._spaces.turn(page.frame, to_data=True)
        self._engine.forget_code()

    def _own_pages(self, context: Context) -> tuple[int, ...]:
        """Give the pages of the instruction at the ip."""
        ip = context.cpu.words[IP]
        block = self._block_at(context)
        size = LONGEST
        if block is not None and block.end is not End.SPECIAL:
            index = block.index_of(ip)
            if index != NOWHERE:
                ends = (*block.offsets[1:], block.stop - block.start)
                size = ends[index] - block.offsets[index]
        first, last = ip & -PAGE, (ip + size - 1) & self._mask & -PAGE
        return (first,) if first == last else (first, last)


def _ends_in_call(inside: Inside | None) -> bool:
    return inside is not None and inside.left == 1 and inside.block.end is End.SYSTEM_CALL
