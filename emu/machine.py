"""The machine: CPUs, memory and the clock.

Rule 1: the machine decides nothing.  It runs a context until a trap and says why.
Rule 2: time is one integer of ticks, 1/64 cycle each; it moves by what blocks cost, by
traps, and by what the caller charges.  How a run is sliced or stepped cannot move it.
Rule 3: a program can do nothing to the host; all it gets is a trap.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from emu.blocks import Decoder
from emu.calls import Frame
from emu.checkpoint import Checkpoint, FrozenContext, FrozenTable, decode, encode
from emu.clock import LAST_CYCLE, Clock
from emu.context import LABEL, SELECTOR, TAG, TIMEOUT, Context
from emu.cost import CYCLE_SHIFT, MISPREDICTION_TICKS, TRAP_TICKS, cost_model
from emu.engine import (
    AX,
    CALLED,
    ENDLESS,
    EXPIRED,
    LOCAL_DESCRIPTORS,
    LOCAL_TABLES,
    PASSING,
    RAISED,
    SI,
    WALK,
    Engine,
)
from emu.errors import (
    BadCheckpointError,
    BadConfigError,
    NoSuchNumberError,
    NotMappedError,
    OutOfTablesError,
    UsageError,
)
from emu.memory import PAGE, SHARED_BASE, SHARED_SIZE, Memory
from emu.moment import ContextMoment, Moment
from emu.paging import EXECUTE_RIGHT, IA32_TOP, SYSTEM_OFFSET, PageTables
from emu.predict import Predictor
from emu.recorder import Access
from emu.screen import Report, Screen
from emu.spaces import CLOCK_SIZE, Space, Spaces
from emu.stepper import Stepper
from emu.tage import Tage
from emu.timing import DEFAULT, FULL, Timing, check_timing
from emu.traps import DEADLINE, STEPPED, SYSTEM_CALL
from emu.unicorn_engine import UnicornEngine
from emu.watch import Watch

# What a hosted context asks of the kernel: where its message lies, the message, and what
# goes into the system-call registers, in their order.
HostedCall: TypeAlias = tuple[int, bytes, tuple[int, int, int, int]]

SLOTS = 1 << 16  # descriptor tables, one for each context
_CALL_CODE = b"\xcd\x30\xc3"  # int 0x30; ret


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """What distinguishes one machine from another."""

    arch: str = "amd64"
    ram: int = 64 << 20
    timing: Timing = DEFAULT  # what time is made of
    cpu_khz: int = 1_000_000
    call_page: int = 0  # ia32: where every space shows the system call instruction
    pool: int = 128  # the most emulator instances at a time; no result depends on it


class Machine:
    """An x86 machine whose programs run until they trap."""

    __slots__ = (
        "_amd64",
        "_call_page",
        "_clock",
        "_contexts",
        "_engine",
        "_hosted",
        "_mapped",
        "_mappings",
        "_mask",
        "_memory",
        "_predictor",
        "_runner",
        "_screen",
        "_spaces",
        "_stepper",
        "_watch",
        "_words",
        "config",
    )

    def __init__(self, config: MachineConfig) -> None:
        _check(config)
        self.config = config
        self._clock = Clock()
        self._amd64 = config.arch == "amd64"
        self._mask = (1 << 64) - 1 if self._amd64 else (1 << 32) - 1
        self._memory = Memory(config.ram)
        tables = PageTables(self._memory.tables, is_amd64=self._amd64)
        self._engine: Engine = UnicornEngine(self._memory, tables, pool=config.pool)
        self._runner = self._engine.runner
        decoder = Decoder(
            is_amd64=self._amd64,
            cost=cost_model(config.timing, config.arch),
            create_maps=self._runner.create_maps,
        )
        self._spaces = Spaces(self._memory, tables, decoder)
        self._call_page = config.call_page
        if config.call_page:
            page = bytearray(PAGE)
            page[: len(_CALL_CODE)] = _CALL_CODE
            self._spaces.fix_page(config.call_page, tables.take_page(), bytes(page))
        self._predictor = Predictor(
            MISPREDICTION_TICKS, Tage() if config.timing.model == FULL else None
        )
        self._runner.predict(self._predictor)
        self._stepper = Stepper(
            self._clock, self._engine, self._spaces, self._predictor, self._amd64
        )
        self._contexts: dict[int, Context] = {}
        self._mappings = 0  # how often they have changed
        self._hosted: dict[int, Callable[[int], HostedCall]] = {}
        self._mapped: set[int] = set()  # frames that they showed since the last moment
        self._watch: Watch | None = None
        self._screen: Screen | None = None
        self._words: tuple[memoryview, memoryview] = self._memory.words(wide=self._amd64)

    @property
    def emulator(self) -> Engine:
        """The engine itself, for self tests."""
        return self._engine

    # -- time -------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The current cycle."""
        return self._clock.ticks >> CYCLE_SHIFT

    @property
    def ticks(self) -> int:
        """The current time in 1/64 cycle."""
        return self._clock.ticks

    @property
    def instructions(self) -> int:
        """Instructions completed since the run began, of all contexts."""
        return self._clock.instructions

    @property
    def cpu_khz(self) -> int:
        """Cycles in a millisecond."""
        return self.config.cpu_khz

    @property
    def engine(self) -> str:
        """The name of the engine in use."""
        return self._runner.name

    def charge(self, cycles: int) -> None:
        """Let `cycles` pass: the kernel worked."""
        self._clock.ticks += cycles << CYCLE_SHIFT

    def advance(self, until: int) -> None:
        """Let time pass up to cycle `until`: nothing could run."""
        if until > LAST_CYCLE:
            raise UsageError(f"cycle {until} is behind the last one, {LAST_CYCLE}")
        self._clock.ticks = max(self._clock.ticks, until << CYCLE_SHIFT)

    # -- running ----------------------------------------------------------------

    def run(self, context: Context, deadline: int) -> int:
        """Run `context` until it traps or cycle `deadline` is reached, and say which.

        If that is already past, nothing happens to the context; but `step` stops in
        mid-run, and what follows a step goes on with the run.

        A KeyboardInterrupt comes out of here, and then the clock lacks what was charged
        since the call: go on from a checkpoint, or not at all.
        """
        clock = self._clock
        limit = _ticks_at(deadline)
        if clock.ticks >= limit and context.trap != STEPPED:
            return DEADLINE
        cpu = context.cpu
        if not cpu.ready:
            if context.number in self._hosted:
                return self._call_hosted(context)
            self._engine.prepare(cpu)
        if context.trap == SYSTEM_CALL:
            self._give_back(context)
        resume = None if context.held is None else self._stepper.resume(context)
        started = clock.ticks
        event = self._runner.execute(cpu, context.blocks, clock, limit, resume)
        cpu.stamp = clock.ticks
        if event == CALLED:
            trap = self._stepper.called(context)
        else:
            trap = self._go_on(context, limit, event)
        context.ticks += clock.ticks - started
        return trap

    def step(self, context: Context, deadline: int) -> int:
        """Execute one instruction, or one repetition, with the accounting of `run`.

        Give STEPPED, or the trap that came instead.
        """
        limit = _ticks_at(deadline)
        if self._clock.ticks >= limit and context.trap != STEPPED:
            return DEADLINE
        if not context.cpu.ready:
            if context.number in self._hosted:
                return self._call_hosted(context)
            self._engine.prepare(context.cpu)
        if context.trap == SYSTEM_CALL:
            self._give_back(context)
        started = self._clock.ticks
        context.trap = self._stepper.step(context, limit)
        context.ticks += self._clock.ticks - started
        context.cpu.stamp = self._clock.ticks
        return context.trap

    def run_until_position(self, context: Context, deadline: int, position: int) -> int:
        """Run `context` like `run`, but stop where `instructions` reaches `position`.

        Give STEPPED there, before the instruction that comes next, or the trap that came
        first.  Nothing happens to the context if the position is reached already.  STEPPED
        also comes at a break that counts: see `set_breaks`.
        """
        self._runner.stop_at(position)
        self._stepper.until = position
        try:
            while self._clock.instructions < position:
                trap = Machine.run(self, context, deadline)
                # What comes next would go beyond: go there one by one.
                while trap == STEPPED and self._clock.instructions < position:
                    if self._stepper.is_break(context):
                        return STEPPED
                    trap = self.step(context, deadline)
                    if context.held is None:
                        break
                if trap != STEPPED:
                    return trap
        finally:
            self._runner.stop_at(ENDLESS)
            self._stepper.until = ENDLESS
        return STEPPED

    def host(self, number: int, source: Callable[[int], HostedCall]) -> None:
        """Let a context have no code: `source` says what its next system call is.

        That is asked for with the number of those it has made, which its instruction pointer
        counts.  Each is one instruction.  To be said before the context first runs, and
        again after `thaw`.
        """
        self.context(number)
        self._hosted[number] = source

    def hosts(self, context: Context) -> bool:
        """Tell whether the context is one without code."""
        return context.number in self._hosted

    def set_breaks(self, space: int, addresses: frozenset[int]) -> None:
        """Let runs of a space's contexts stop with STEPPED before these instructions.

        Nothing in memory changes.  What lies in one block with a break is executed
        instruction by instruction; a break where a run begins counts as well.
        """
        table = self._spaces.get(space).blocks
        if addresses != table.breaks:
            table.breaks = addresses
            table.forget()

    def pass_breaks(self, position: int) -> None:
        """Let no break count where `instructions` is `position`: the run stands at it."""
        self._stepper.passed = position

    def is_break(self, context: Context) -> bool:
        """Tell whether a context stands at a break that counts."""
        return self._stepper.is_break(context)

    def _call_hosted(self, context: Context) -> int:
        # No CPU is ever made ready for it, so that others pay nothing for the question.
        address, message, registers = self._hosted[context.number](context.ip)
        if message:
            self.write_physical(address, message)
        for register in (TAG, SELECTOR, LABEL, TIMEOUT):
            context.registers[register] = registers[register]
        context.ip += 1
        context.ticks += TRAP_TICKS
        context.trap = SYSTEM_CALL
        self._clock.ticks += TRAP_TICKS
        self._clock.instructions += 1
        context.cpu.stamp = self._clock.ticks
        return SYSTEM_CALL

    def _give_back(self, context: Context) -> None:
        cpu = context.cpu
        cpu.words[AX] = context.registers[TAG] & self._mask
        cpu.words[SI] = context.registers[LABEL] & self._mask

    def _go_on(self, context: Context, limit: int, event: int) -> int:
        """Handle whatever is not a system call, until there is a trap to report."""
        stepper, clock, cpu = self._stepper, self._clock, context.cpu
        while event != CALLED:
            trap: int | None = None
            if event == EXPIRED:
                stepper.settle(context)
                trap = DEADLINE
            elif event == PASSING:
                stepper.settle(context)
                trap = STEPPED
            elif event == RAISED:
                trap = stepper.raised(context, limit)
            elif event == WALK or not stepper.learn(context):
                stepper.settle(context)
                trap = stepper.walk(context, limit)
            if trap is not None:
                context.trap = trap
                cpu.stamp = clock.ticks
                return trap
            if not cpu.ready:
                self._engine.prepare(cpu)
            resume = None if context.held is None else stepper.resume(context)
            event = self._runner.execute(cpu, context.blocks, clock, limit, resume)
        cpu.stamp = clock.ticks
        return stepper.called(context)

    # -- watching ---------------------------------------------------------------

    def watch(self, addresses: range, full: Callable[[list[Access]], None]) -> Watch:
        """Record accesses to whole pages of RAM or shared memory, and calls, until `unwatch`.

        No addresses: calls only.  `full` is handed records in mid-run when there are many,
        and must not touch the machine; what comes of `Watch.drain` at every trap is the
        rest.  The stack of a context that ran before the watch begins with a mark.
        """
        watch = Watch(self._memory, self._spaces, self._engine, self._contexts, addresses, full)
        calls = watch.recorder.calls
        for number, context in self._contexts.items():
            if context.cpu.stamp:
                calls.assign(number, calls.mark(0))
        self._watch = watch
        self._runner.watch(watch.recorder)
        self._stepper.recorder = watch.recorder
        self._engine.watch(watch.ranges)
        return watch

    def unwatch(self) -> None:
        """Record nothing any more; records that were not drained stay in their watch."""
        if self._watch is None:
            return
        self._watch = None
        self._runner.watch(None)
        self._stepper.recorder = None
        self._engine.watch(())

    def stack(self, context: Context) -> tuple[Frame, ...]:
        """Give the calls that a context has not returned from, outermost first.

        Without a watch nothing is known, which is a mark.
        """
        if self._watch is None:
            return (Frame(0, 0, 0, 0),)
        calls = self._watch.recorder.calls
        return calls.frames(calls.path_at(context.cpu.number, context.sp))

    def store_stack(self, context: Context, frames: tuple[Frame, ...]) -> None:
        """Let a watched context have this stack: it was thawed, say."""
        if self._watch is None:
            raise UsageError("a stack is stored while nothing is watched")
        calls = self._watch.recorder.calls
        calls.assign(context.cpu.number, calls.path_of(frames))

    def screen(
        self,
        addresses: range,
        table: Sequence[int],
        full: Callable[[list[Report]], None],
    ) -> Screen:
        """Move the states of whole pages of shared memory by `table` at every access.

        Entry READS + state, or WRITES + state, is the next state, and REPORT beside it asks
        for a report.  `full` is handed reports in mid-run when there are many, and must not
        touch the machine.  A page that any space may execute is not screened, nor from then
        on one that becomes so.
        """
        shared = self._memory.shared
        if addresses.step != 1 or addresses.start % PAGE or len(addresses) % PAGE:
            raise BadConfigError(f"a screen of {addresses}, not of whole pages")
        end = shared.base + shared.size
        if not shared.base <= addresses.start < addresses.stop <= end:
            raise BadConfigError(f"a screen of {addresses}, not in shared memory")
        screen = Screen(addresses, memoryview(shared.memory), shared.base, table, full)
        self._screen = screen
        self._runner.screen(screen)
        self._engine.screen(self._screened(addresses))
        return screen

    def unscreen(self) -> None:
        """Move no states any more."""
        if self._screen is None:
            return
        self._screen = None
        self._engine.screen(())

    def _screened(self, addresses: range) -> tuple[range, ...]:
        """Give the ranges of pages of which none is executable."""
        ranges: list[range] = []
        begin = addresses.start
        for frame in range(addresses.start, addresses.stop + 1, PAGE):
            if frame == addresses.stop or self._spaces.is_code(frame):
                if begin < frame:
                    ranges.append(range(begin, frame))
                begin = frame + PAGE
        return tuple(ranges)

    # -- memory -----------------------------------------------------------------

    @property
    def frames(self) -> range:
        """Physical addresses of the page frames of RAM."""
        return range(0, self.config.ram, PAGE)

    @property
    def shared_frames(self) -> range:
        """Physical addresses of the page frames for memory shared with the kernel."""
        return range(SHARED_BASE, SHARED_BASE + SHARED_SIZE, PAGE)

    @property
    def user_end(self) -> int:
        """The first address that no space can map."""
        return self._spaces.tables.user_end

    def create_space(self, number: int) -> bool:
        """Make an empty address space; false, and nothing is made, without room for tables."""
        try:
            self._spaces.create(number)
        except OutOfTablesError:
            return False
        return True

    def destroy_space(self, number: int) -> None:
        """Forget an address space; no context may use it any more."""
        if self._spaces.get(number).cpus:
            raise NoSuchNumberError("contexts still use space", number)
        self._spaces.destroy(number)

    def store_local_descriptors(
        self, space: int, first: int, descriptors: Sequence[int]
    ) -> bool:
        """Set entries of a space's local descriptor table, which then ends behind them.

        They are as a context's own.  Those behind the end are kept, out of sight.  False,
        and nothing is changed, without room for a table.
        """
        target = self._spaces.get(space)
        end = first + len(descriptors)
        if not descriptors or not 0 <= first < end <= LOCAL_DESCRIPTORS:
            raise NoSuchNumberError("no local descriptor", end - 1)
        entries = target.local + [0] * (end - len(target.local))
        entries[first:end] = descriptors
        return self._set_local(target, target.local_slot, entries, end)

    def map(self, space: int, address: int, frame: int, rights: int) -> bool:
        """Map the page frame at physical `frame` with `rights` (X=1, W=2, R=4).

        The same frame keeps its accessed flags.  False, and nothing is mapped, without
        room for tables; never so where a page is mapped already.
        """
        target = self._spaces.get(space)
        # No CPU remembers that there was no page: nothing to drop if that is so.
        fresh = address not in target.pages
        self._mappings += 1
        self._mapped.add(frame)
        try:
            changed = self._spaces.map(target, address, frame, rights)
        except OutOfTablesError:
            return False
        if changed:
            self._engine.forget_code()
        if self._watch is not None and self._watch.note(target, address, frame):
            self._engine.watch(self._watch.ranges)
        screen = self._screen
        if screen is not None and rights & EXECUTE_RIGHT and frame in screen.addresses:
            self._engine.screen(self._screened(screen.addresses))
        if not fresh:
            self._unready(target)
        return True

    def unmap(self, space: int, address: int) -> None:
        """Take the page at `address` away."""
        target = self._spaces.get(space)
        self._mappings += 1
        if self._spaces.unmap(target, address):
            self._engine.forget_code()
        self._unready(target)

    def accessed(self, space: int, address: int) -> int:
        """Tell whether a mapped page was read (R) and written (W) since its flags were set.

        Only accesses by programs count.
        """
        return self._spaces.accessed(self._spaces.get(space), address)

    def set_accessed(self, space: int, address: int, flags: int) -> None:
        """Let `accessed` say `flags` until a program adds to them."""
        target = self._spaces.get(space)
        self._spaces.set_accessed(target, address, flags)
        # A CPU that remembers the page as written would not say so again.
        self._unready(target)

    def translate(self, space: int, address: int) -> int | None:
        """Give the physical address behind a virtual one, None if nothing is mapped."""
        return self._spaces.translate(self._spaces.get(space), address)

    def read(self, space: int, address: int, size: int) -> bytes:
        """Read virtual memory whatever its rights; NotMappedError says where it ends."""
        return self._spaces.read(self._spaces.get(space), address, size)

    def fetch(self, space: int, address: int, size: int) -> bytes:
        """Read what a program can execute, the call page too; shorter where that ends."""
        return self._spaces.fetch(self._spaces.get(space), address, size)

    def write(self, space: int, address: int, data: bytes) -> None:
        """Write virtual memory whatever its rights; all of it or, on an error, nothing."""
        for frame in self._spaces.write(self._spaces.get(space), address, data):
            self._wrote(frame)

    def read_physical(self, address: int, size: int) -> bytes:
        """Read RAM or shared memory."""
        return self._memory.read(address, size)

    def write_physical(self, address: int, data: bytes) -> None:
        """Write RAM or shared memory."""
        self._memory.write(address, data)
        for frame in range(address & -PAGE, address + len(data), PAGE):
            self._wrote(frame)

    def place_clock(self, address: int) -> None:
        """Say where `store_clock` stores: 8 bytes at a physical address, aligned."""
        self._memory.locate(address, CLOCK_SIZE)
        if address % CLOCK_SIZE:
            raise BadConfigError(f"a clock at {address:#x}, not aligned to {CLOCK_SIZE}")
        self._spaces.clock = address

    def known_code(self, space: int) -> list[int]:
        """List the addresses of instructions in blocks that ran, or may have, in order.

        Those of code that was dropped since are not among them.
        """
        found: set[int] = set()
        for block in self._spaces.get(space).blocks.cached():
            if block is not None:
                found.update(block.start + offset for offset in block.offsets)
        return sorted(found)

    def store_clock(self, value: int) -> None:
        """Store 64 bits that change often, maybe in a page that also has code.

        No translation is dropped for it, unless somebody ran these very bytes.
        """
        address = self._spaces.clock
        if address is None:
            raise BadConfigError("no clock was placed")
        self._memory.write(address, value.to_bytes(CLOCK_SIZE, "little"))
        if self._spaces.clock_is_code:
            self._spaces.clock_is_code = False
            self._wrote(address & -PAGE)

    def words(self, frame: int, count: int) -> memoryview:
        """View `count` machine words at physical address `frame`; writes go to the guest."""
        size = 8 if self._amd64 else 4
        self._memory.locate(frame, count * size)
        if frame % size:
            raise BadConfigError(f"words at {frame:#x}, not aligned to {size}")
        shared = frame >= SHARED_BASE
        first = (frame - SHARED_BASE if shared else frame) // size
        return self._words[shared][first : first + count]

    # -- contexts ---------------------------------------------------------------

    def create_context(
        self, number: int, *, space: int, ip: int, sp: int, thread_base: int
    ) -> Context:
        """Make a context at user level whose thread segment starts at `thread_base`."""
        if number in self._contexts:
            raise NoSuchNumberError("there is already a context", number)
        target = self._spaces.get(space)
        slot = self._free_slot()
        thread_base &= self._mask
        cpu = self._engine.create_cpu(
            root=target.root,
            slot=slot,
            ip=ip & self._mask,
            sp=sp & self._mask,
            thread_base=thread_base,
        )
        cpu.number = number
        context = Context(
            number,
            space=target,
            slot=slot,
            thread_base=thread_base,
            cpu=cpu,
            engine=self._engine,
            mask=self._mask,
        )
        self._contexts[number] = context
        target.cpus.append(cpu)
        if target.local_slot >= 0:
            self._engine.load_local_table(cpu, slot=target.local_slot, size=target.local_size)
        return context

    def context(self, number: int) -> Context:
        """Give the context made under this number."""
        try:
            return self._contexts[number]
        except KeyError:
            raise NoSuchNumberError("no context", number) from None

    def call_site(self, context: Context) -> int:
        """Give the address where the code that called the call page goes on, else the ip."""
        ip = context.ip
        if not self._call_page or ip & -PAGE != self._call_page:
            return ip
        # The return address; a recorder asks for it at every message, mostly of one place.
        sp = context.sp
        if sp != context.site_sp or self._mappings != context.site_mappings:
            at = self._spaces.translate(context.space, sp) if sp % 4 == 0 else None
            context.site = None
            if at is not None:
                shared = at >= SHARED_BASE
                first = (at - SHARED_BASE if shared else at) // 4
                context.site = self._words[shared][first : first + 1]
            context.site_sp = sp
            context.site_mappings = self._mappings
        if context.site is not None:
            return int(context.site[0])
        try:
            return int.from_bytes(self.read(context.space.number, sp, 4), "little")
        except NotMappedError:
            return ip

    def destroy_context(self, number: int) -> None:
        """Forget a context."""
        context = self.context(number)
        self._engine.release(context.cpu)
        context.space.cpus.remove(context.cpu)
        del self._contexts[number]
        self._hosted.pop(number, None)
        if self._watch is not None:
            self._watch.recorder.calls.forget(number)

    # -- checkpoints ------------------------------------------------------------

    def freeze(self) -> bytes:
        """Encode time, contexts and memory; the mappings stay with their owner."""
        memory = self._memory
        pages = (*memory.ram.non_zero_pages(), *memory.shared.non_zero_pages())
        return encode(
            Checkpoint(
                arch=self.config.arch,
                ram=self.config.ram,
                ticks=self._clock.ticks,
                instructions=self._clock.instructions,
                spaces=tuple(self._spaces.numbers()),
                data_frames=tuple(sorted(self._spaces.data_frames)),
                decoded=tuple(
                    tuple(sorted(self._spaces.get(number).blocks.decoded))
                    for number in self._spaces.numbers()
                ),
                local_tables=tuple(self._frozen_tables()),
                predictor=self._predictor.freeze(),
                contexts=tuple(self._freeze(self._contexts[n]) for n in sorted(self._contexts)),
                pages=pages,
            )
        )

    @classmethod
    def thaw(cls, config: MachineConfig, data: bytes) -> Self:
        """Make a machine of what `freeze` gave; its spaces are there, but empty."""
        checkpoint = decode(data)
        if (checkpoint.arch, checkpoint.ram) != (config.arch, config.ram):
            had = f"{checkpoint.arch} with {checkpoint.ram:#x} bytes of RAM"
            raise BadCheckpointError(f"frozen on {had}")
        machine = cls(config)
        try:
            machine._fill(checkpoint)
        except UsageError as error:
            machine.close()
            raise BadCheckpointError(f"inconsistent: {error}") from error
        return machine

    def save(self) -> Moment:
        """Take down where the machine is, for `rewind`; what was watched so far is dropped."""
        memory, spaces = self._memory, self._spaces
        mapped: dict[int, dict[int, tuple[int, int, int]]] = {}
        frames: set[int] = set()
        for number in spaces.numbers():
            space = spaces.get(number)
            mapped[number] = {
                address: (page.frame, page.rights, spaces.accessed(space, address))
                for address, page in space.pages.items()
            }
            frames.update(page.frame for page in space.pages.values())
        pages = dict((*memory.ram.non_zero_pages(), *memory.shared.non_zero_pages()))
        for frame in sorted(frames):
            pages.setdefault(frame, bytes(PAGE))
        self._mapped.clear()
        watch = self._watch
        return Moment(
            ticks=self._clock.ticks,
            instructions=self._clock.instructions,
            contexts={n: self._moment_of(context) for n, context in self._contexts.items()},
            mapped=mapped,
            tables={number: self._local_table(number) for number in mapped},
            pages=pages,
            mappings=self._mappings,
            predictor=self._predictor.freeze(),
            paths=None if watch is None else watch.recorder.calls.save(),
        )

    def rewind(self, moment: Moment) -> bool:
        """Go back to where this machine was; translations stay, and records are dropped.

        False, and then the machine is of no more use, if a space or context is gone that
        was there, a local descriptor table is another one, or code was taken in whose first
        execution costs more.
        """
        contexts = self._contexts
        if any(contexts.get(n) is not each.context for n, each in moment.contexts.items()):
            return False
        spaces = self._spaces
        if any(number not in spaces.numbers() for number in moment.mapped):
            return False
        if any(self._local_table(n) != table for n, table in moment.tables.items()):
            return False
        if any(spaces.get(number).blocks.decoded for number in moment.mapped):
            return False
        for number in [n for n in contexts if n not in moment.contexts]:
            self.destroy_context(number)
        for number in spaces.numbers():
            if number not in moment.mapped:
                self.destroy_space(number)
        changed = self._mappings != moment.mappings
        for number, pages in moment.mapped.items():
            if changed:
                self._map_again(number, pages)
            space = spaces.get(number)
            for address, (_, _, flags) in pages.items():
                if spaces.accessed(space, address) != flags:
                    spaces.set_accessed(space, address, flags)
        for frame in (*moment.pages, *sorted(self._mapped.difference(moment.pages))):
            content = moment.pages.get(frame)
            if content is None:
                content = bytes(PAGE)
            if self._memory.read(frame, PAGE) != content:
                self._memory.write(frame, content)
                self._wrote(frame)
        for each in moment.contexts.values():
            self._put_back(each)
        self._clock.ticks = moment.ticks
        self._clock.instructions = moment.instructions
        self._predictor.forget()
        self._predictor.thaw(moment.predictor)
        if self._watch is not None:
            recorder = self._watch.recorder
            recorder.drain()
            recorder.forget_block()
            recorder.calls.restore(moment.paths)
        return True

    def close(self) -> None:
        """Give back all emulator instances; nothing can be run any more."""
        self._engine.close()

    def _set_local(self, space: Space, slot: int, entries: list[int], size: int) -> bool:
        # A table is a page at an address of its own, since all spaces share what is there.
        if slot < 0:
            tables = [self._spaces.get(number) for number in self._spaces.numbers()]
            taken = {each.local_slot for each in tables}
            slot = next(slot for slot in range(len(taken) + 1) if slot not in taken)
        if slot >= LOCAL_TABLES:
            return False
        try:
            self._engine.fill_local_table(slot, entries)
        except OutOfTablesError:
            return False
        space.local_slot, space.local, space.local_size = slot, entries, size
        for cpu in space.cpus:
            self._engine.load_local_table(cpu, slot=slot, size=size)
        return True

    def _frozen_tables(self) -> Iterator[FrozenTable]:
        for number in self._spaces.numbers():
            space = self._spaces.get(number)
            if space.local_slot >= 0:
                yield FrozenTable(
                    number, space.local_slot, space.local_size, tuple(space.local)
                )

    def _thaw_table(self, frozen: FrozenTable) -> None:
        tables = [self._spaces.get(number) for number in self._spaces.numbers()]
        slot, size, entries = frozen.slot, frozen.size, list(frozen.descriptors)
        if (
            slot >= LOCAL_TABLES
            or slot in [each.local_slot for each in tables]
            or not 0 < size <= len(entries) <= LOCAL_DESCRIPTORS
        ):
            raise NoSuchNumberError("local descriptor table is taken:", slot)
        if not self._set_local(self._spaces.get(frozen.space), slot, entries, size):
            raise NoSuchNumberError("no room for local descriptor table", slot)

    def _freeze(self, context: Context) -> FrozenContext:
        return FrozenContext(
            number=context.number,
            space=context.space.number,
            slot=context.slot,
            thread_base=context.thread_base,
            ticks=context.ticks,
            descriptors=tuple(context.descriptors),
            trap=context.trap,
            registers=(
                context.tag & self._mask,
                context.selector & self._mask,
                context.label & self._mask,
                context.timeout & self._mask,
            ),
            fault=(context.address, context.error, context.vector),
            held=context.held,
            previous=context.cpu.previous,
            branch=context.cpu.branch,
            cpu=self._engine.freeze(context.cpu),
        )

    def _local_table(self, number: int) -> tuple[int, tuple[int, ...], int]:
        space = self._spaces.get(number)
        return space.local_slot, tuple(space.local), space.local_size

    def _moment_of(self, context: Context) -> ContextMoment:
        return ContextMoment(
            context=context,
            cpu=self._engine.save(context.cpu),
            stamp=context.cpu.stamp,
            ticks=context.ticks,
            trap=context.trap,
            held=context.held,
            registers=(context.tag, context.selector, context.label, context.timeout),
            fault=(context.address, context.error, context.vector),
            descriptors=tuple(context.descriptors),
            previous=context.cpu.previous,
            branch=context.cpu.branch,
        )

    def _put_back(self, moment: ContextMoment) -> None:
        context = moment.context
        if tuple(context.descriptors) != moment.descriptors:
            for number, descriptor in enumerate(moment.descriptors):
                context.store_descriptor(number, descriptor)
        self._engine.restore(context.cpu, moment.cpu)
        context.cpu.stamp = moment.stamp
        context.cpu.previous, context.cpu.branch = moment.previous, moment.branch
        context.ticks = moment.ticks
        context.trap = moment.trap
        context.held = moment.held
        context.tag, context.selector, context.label, context.timeout = moment.registers
        context.address, context.error, context.vector = moment.fault

    def _map_again(self, number: int, wanted: dict[int, tuple[int, int, int]]) -> None:
        pages = self._spaces.get(number).pages
        for address in [address for address in pages if address not in wanted]:
            self.unmap(number, address)
        for address, (frame, rights, _) in wanted.items():
            page = pages.get(address)
            if page is None or (page.frame, page.rights) != (frame, rights):
                made = self.map(number, address, frame, rights)
                assert made, "there was room for its tables before"

    def _fill(self, checkpoint: Checkpoint) -> None:
        self._clock.ticks = checkpoint.ticks
        self._clock.instructions = checkpoint.instructions
        for number, decoded in zip(checkpoint.spaces, checkpoint.decoded, strict=True):
            self._spaces.create(number).blocks.decoded.update(decoded)
        self._spaces.data_frames.update(checkpoint.data_frames)
        for table in checkpoint.local_tables:
            self._thaw_table(table)
        if not self._predictor.thaw(checkpoint.predictor):
            raise BadConfigError("a predictor that no machine has")
        for frozen in checkpoint.contexts:
            self._thaw(frozen)
        for address, content in checkpoint.pages:
            self._memory.write(address, content)

    def _thaw(self, frozen: FrozenContext) -> None:
        taken = {context.slot for context in self._contexts.values()}
        if (
            frozen.number in self._contexts
            or not 0 < frozen.slot < SLOTS
            or frozen.slot in taken
        ):
            raise NoSuchNumberError("descriptor table or context is taken:", frozen.slot)
        space = self._spaces.get(frozen.space)
        cpu = self._engine.thaw(
            frozen.cpu,
            root=space.root,
            slot=frozen.slot,
            thread_base=frozen.thread_base,
            own=list(frozen.descriptors),
        )
        cpu.number = frozen.number
        cpu.stamp = 1  # it may have run
        cpu.previous = frozen.previous
        cpu.branch = frozen.branch
        context = Context(
            frozen.number,
            space=space,
            slot=frozen.slot,
            thread_base=frozen.thread_base,
            cpu=cpu,
            engine=self._engine,
            mask=self._mask,
        )
        context.descriptors[:] = frozen.descriptors
        context.ticks = frozen.ticks
        context.trap = frozen.trap
        context.held = frozen.held
        context.tag, context.selector, context.label, context.timeout = frozen.registers
        context.address, context.error, context.vector = frozen.fault
        self._contexts[frozen.number] = context
        space.cpus.append(cpu)
        if space.local_slot >= 0:
            self._engine.load_local_table(cpu, slot=space.local_slot, size=space.local_size)

    def _wrote(self, frame: int) -> None:
        if self._spaces.is_code(frame):
            self._spaces.forget_code(frame)
            self._engine.forget_code()

    def _unready(self, space: Space) -> None:
        for cpu in space.cpus:
            cpu.ready = False

    def _free_slot(self) -> int:
        taken = {context.slot for context in self._contexts.values()}
        slot = next(slot for slot in range(1, len(taken) + 2) if slot not in taken)
        if slot >= SLOTS:
            raise NoSuchNumberError("no room for context number", slot)
        return slot


def _ticks_at(cycle: int) -> int:
    near = cycle if cycle < LAST_CYCLE else LAST_CYCLE
    return near << CYCLE_SHIFT


def _check(config: MachineConfig) -> None:
    if config.arch not in ("amd64", "ia32"):
        raise BadConfigError(f"arch {config.arch!r}, not amd64 or ia32")
    if config.call_page and (config.arch != "ia32" or config.call_page % PAGE):
        raise BadConfigError(f"call page {config.call_page:#x} on {config.arch}")
    if config.call_page and not IA32_TOP <= config.call_page < IA32_TOP + SYSTEM_OFFSET:
        raise BadConfigError(f"call page {config.call_page:#x} below {IA32_TOP:#x}")
    check_timing(config.timing)
    if config.cpu_khz <= 0 or config.pool <= 0:
        raise BadConfigError(f"cpu_khz {config.cpu_khz}, pool {config.pool}")
