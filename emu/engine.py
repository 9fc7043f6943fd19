"""What the machine needs of an emulator of x86 CPUs: an engine, and the engine's runner.

The runner is the hot half.  There are two, `emu.python_engine` and `emu.native_engine`,
and an installation has one of them.

Rule 1: CPU states are values, hosts are interchangeable.  A `Cpu` holds all there is of
a thread; an engine lends it one of a bounded number of emulator instances and may take
that back at any time between two calls.
Rule 2: an engine charges and tests the clock as the entries of a `BlockTable` say, and
stops where they do not say enough.  What they mean is decided in `emu.blocks`.
Rule 3: nothing about an instance (its translations, its age) may reach a result.
"""

from dataclasses import dataclass
from typing import Protocol

from emu.blocks import NOWHERE, Block, BlockTable, Maps
from emu.clock import Clock
from emu.predict import Predictor
from emu.recorder import Recorder
from emu.screen import Screen

# Why `Runner.execute` came back.
CALLED = 0  # a system call instruction is done
RAISED = 1  # `vector`
EXPIRED = 2  # the deadline is reached at the start of a block or a repetition
UNKNOWN = 3  # the table lacks the translation at `place`, `place_size`
WALK = 4  # this block has to be executed instruction by instruction
STEPPED = 5  # from `step` only
PASSING = 6  # what comes next goes beyond the position of `Runner.stop_at`

ENDLESS = 1 << 62  # a position that no run reaches

# Indices into `Cpu.words` beyond the sixteen general registers.
IP = 16
FLAGS = 17  # complete when an execution has just ended

# Indices of general registers, in the order of their encoding.
AX, CX, DX, BX, SP, BP, SI, DI, R8 = range(9)
R11 = 11
R15 = 15


USER_DESCRIPTORS = 4  # segments of a context's own
LOCAL_DESCRIPTORS = 512  # of a local descriptor table: it is one page
LOCAL_TABLES = 1792  # that there is room for


class Cpu:
    """The CPU state of one thread, wherever it is kept at the moment."""

    __slots__ = (
        "blob",
        "branch",
        "handle",
        "host",
        "number",
        "previous",
        "ready",
        "root",
        "stamp",
        "state",
        "words",
    )

    def __init__(self, blob: bytearray, root: int) -> None:
        self.blob = blob
        self.root = root
        self.words: memoryview = memoryview(blob)[: 18 * 8].cast("Q")
        self.host: object | None = None
        # While it is ready: the emulator instance and its CPU state, as host addresses.
        self.handle = 0
        self.state = 0
        self.ready = False  # false: `Engine.prepare` has to run first
        self.stamp = 0  # larger: run later
        self.number = 0  # the context's
        self.previous = NOWHERE  # the start of the block that was charged last
        self.branch = 0  # the end of a branch that ends it and is not judged yet, or 0


# The next three are values, made at every fault.  They are no dataclasses because those
# cannot be compiled to extension types, and a frozen one takes 0.7 us to make.


class Inside:
    """A place within a block that is already charged."""

    __slots__ = ("block", "index", "repeats")

    def __init__(self, block: Block, index: int, repeats: bool) -> None:
        self.block = block
        self.index = index  # of the instruction that comes next
        self.repeats = repeats  # it is a string instruction that did a repetition

    @property
    def left(self) -> int:
        """The number of instructions that are not completed."""
        return self.block.count - self.index


class Fault:
    """What the CPU says about the last exception."""

    __slots__ = ("address", "error", "vector")

    def __init__(self, vector: int, error: int, address: int) -> None:
        self.vector = vector
        self.error = error
        self.address = address  # meaningful for page faults


class Stop:
    """Where an `execute` stopped, in terms of what it charged."""

    __slots__ = ("charged", "current", "expected", "repeats")

    def __init__(
        self, current: int, charged: tuple[Block, ...], expected: int, repeats: bool
    ) -> None:
        self.current = current  # start of the block charged last; NOWHERE: none
        # All blocks of the translation that ends in it, unless it is the only one.
        self.charged = charged
        self.expected = expected  # where the last of them goes on; NOWHERE: it is done
        self.repeats = repeats  # `expected` is a string instruction that did a repetition


@dataclass(frozen=True, slots=True)
class Marks:
    """Where a CPU state keeps what has no register number, as offsets."""

    old_exception: int  # -1 while none is pending
    error_code: int
    cr2: int
    dr6: int


@dataclass(frozen=True, slots=True)
class Functions:
    """Addresses of what a runner calls."""

    start: int  # uc_emu_start
    stop: int  # uc_emu_stop


@dataclass(frozen=True, slots=True)
class Hooks:
    """Addresses of the C functions for the hooks, and what they are given."""

    block: int
    interrupt: int
    clock: int
    access: int
    read: int  # of memory that is screened,
    write: int  # both with a `Runner.region` as their data
    data: int


class Runner(Protocol):
    """Executes states that are ready, and accounts for what they do."""

    @property
    def name(self) -> str:
        """The name of the engine, as it is shown to people."""

    @property
    def place(self) -> int:
        """The address of the translation that the table lacks, after UNKNOWN."""

    @property
    def place_size(self) -> int:
        """The size of that translation."""

    @property
    def hooks(self) -> Hooks:
        """The functions for the hooks of all instances."""

    def set_marks(self, marks: Marks) -> None:
        """Take note of where CPU states keep things; before the first `fault` or `step`."""

    def watch(self, recorder: Recorder | None) -> None:
        """Let `recorder` record accesses and calls from now on."""

    def screen(self, screen: Screen | None) -> None:
        """Let `screen` have the accesses to regions from now on."""

    def region(self, base: int) -> int:
        """Give the data for a region of screened memory that begins at a physical address."""

    def stop_at(self, position: int) -> None:
        """Let runs stop before a translation that goes beyond a position."""

    def predict(self, predictor: Predictor) -> None:
        """Let it judge the branches of blocks that have one; before the first run."""

    def create_maps(self) -> Maps:
        """Make the maps of a block table that this runner can look into."""

    def execute(
        self, cpu: Cpu, blocks: BlockTable, clock: Clock, limit: int, resume: Inside | None
    ) -> int:
        """Run from the state's ip until something stops it; move the clock; say what.

        `Cpu.previous` and `branch` become those of the block charged last, if one was.
        """

    def stopped(self) -> Stop:
        """Tell where the last `execute` stopped."""

    def step(self, cpu: Cpu, now: int, alone: bool) -> int:
        """Execute one instruction without any accounting.

        Takes the ticks that it may read, and whether it is one that ends a translation
        by itself; others are executed with the trap flag.
        """

    def enter(self, handle: int, ip: int) -> int:
        """Execute one translation of an instance; give the vector raised, or NOWHERE."""

    def fault(self, cpu: Cpu) -> Fault:
        """Tell about the exception that was just raised, and make the CPU forget it."""


class Engine(Protocol):
    """An emulator of x86 CPUs over one memory: states, and instances that host them."""

    @property
    def runner(self) -> Runner:
        """What executes the states."""

    def create_cpu(self, *, root: int, slot: int, ip: int, sp: int, thread_base: int) -> Cpu:
        """Make the state of a thread at user level; `slot` numbers its descriptor table."""

    def release(self, cpu: Cpu) -> None:
        """Give back what the state uses."""

    def prepare(self, cpu: Cpu) -> None:
        """Give the state a host whose caches are up to date."""

    def forget_code(self) -> None:
        """Drop all translations; every state must be prepared again."""

    def watch(self, ranges: tuple[range, ...]) -> None:
        """Let the runner see accesses to physical ranges; it may see others, too."""

    def screen(self, ranges: tuple[range, ...]) -> None:
        """Let the runner do all accesses to these ranges of shared memory itself."""

    def flags(self, cpu: Cpu) -> int:
        """Compute the flags register."""

    def load_register(self, cpu: Cpu, name: str) -> int:
        """Load any register by its lower-case name."""

    def store_register(self, cpu: Cpu, name: str, value: int) -> None:
        """Store any register by its lower-case name."""

    def store_descriptors(
        self, cpu: Cpu, *, slot: int, thread_base: int, own: list[int]
    ) -> None:
        """Fill the descriptor table `slot`, the state's own from now on."""

    def fill_local_table(self, slot: int, descriptors: list[int]) -> None:
        """Fill the local descriptor table `slot`, from its first entry on."""

    def load_local_table(self, cpu: Cpu, *, slot: int, size: int) -> None:
        """Let the state use the first `size` entries of a local descriptor table."""

    def copy_fpu(self, cpu: Cpu, source: Cpu) -> None:
        """Take over x87 and SSE registers of another state."""

    def store_segment_base(self, cpu: Cpu, segment: str, base: int) -> None:
        """Set a segment's base, and its selector to 0."""

    def freeze(self, cpu: Cpu) -> bytes:
        """Encode the state, without anything that belongs to this process."""

    def thaw(
        self, data: bytes, *, root: int, slot: int, thread_base: int, own: list[int]
    ) -> Cpu:
        """Make a state of what `freeze` gave; `own` are the thread's own descriptors."""

    def close(self) -> None:
        """Give all instances back."""
