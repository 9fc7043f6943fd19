"""What the machine needs of an emulator of x86 CPUs.

Rule 1: CPU states are values, hosts are interchangeable.  A `Cpu` holds all there is of
a thread; an engine lends it one of a bounded number of emulator instances and may take
that back at any time between two calls.
Rule 2: an engine charges and tests the clock as the entries of a `BlockTable` say, and
stops where they do not say enough.  What they mean is decided in `emu.blocks`.
Rule 3: nothing about an instance (its translations, its age) may reach a result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from emu.blocks import Block, BlockTable

# Why `Engine.execute` came back.
CALLED = 0  # a system call instruction is done
RAISED = 1  # `vector`
EXPIRED = 2  # the deadline is reached at the start of a block or a repetition
UNKNOWN = 3  # the table lacks the translation at `place`, `place_size`
WALK = 4  # this block has to be executed instruction by instruction
STEPPED = 5  # from `step` only

# Indices into `Cpu.words` beyond the sixteen general registers.
IP = 16
FLAGS = 17  # complete when an execution has just ended

# Indices of general registers, in the order of their encoding.
AX, CX, DX, BX, SP, BP, SI, DI, R8 = range(9)
R11 = 11
R15 = 15


class Cpu:
    """The CPU state of one thread, wherever it is kept at the moment."""

    __slots__ = ("blob", "host", "ready", "root", "stamp", "words")

    def __init__(self, blob: bytearray, root: int) -> None:
        self.blob = blob
        self.root = root
        self.words: memoryview = memoryview(blob)[: 18 * 8].cast("Q")
        self.host: object | None = None
        self.ready = False  # false: `Engine.prepare` has to run first
        self.stamp = 0  # larger: run later


@dataclass(frozen=True, slots=True)
class Inside:
    """A place within a block that is already charged."""

    block: Block
    index: int  # of the instruction that comes next
    repeats: bool  # it is a string instruction that did at least one repetition

    @property
    def left(self) -> int:
        """The number of instructions that are not completed."""
        return self.block.count - self.index


@dataclass(frozen=True, slots=True)
class Fault:
    """What the CPU says about the last exception."""

    vector: int
    error: int
    address: int  # meaningful for page faults


@dataclass(frozen=True, slots=True)
class Stop:
    """Where an `execute` stopped, in terms of what it charged."""

    current: int  # start of the block charged last; NOWHERE: none
    charged: tuple[Block, ...]  # that block and those after it, unless it is the only one
    expected: int  # where the last of them goes on; NOWHERE: it is done
    repeats: bool  # `expected` is a string instruction that did a repetition


# Why it stopped, the ticks then, and the instructions it charged.
Outcome: TypeAlias = tuple[int, int, int]


class Engine(Protocol):
    """An emulator of x86 CPUs over one memory."""

    name: str  # as it is shown to people

    # After UNKNOWN: the address and the size of the translation.
    place: int
    place_size: int

    def create_cpu(self, *, root: int, slot: int, ip: int, sp: int, thread_base: int) -> Cpu:
        """Make the state of a thread at user level; `slot` numbers its descriptor table."""

    def release(self, cpu: Cpu) -> None:
        """Give back what the state uses."""

    def prepare(self, cpu: Cpu) -> None:
        """Give the state a host whose caches are up to date."""

    def forget_code(self) -> None:
        """Drop all translations; every state must be prepared again."""

    @property
    def execute(self) -> Callable[[Cpu, BlockTable, int, int, Inside | None], Outcome]:
        """Run from the state's ip, with the ticks now and the ticks to stop at."""

    @property
    def stopped(self) -> Callable[[], Stop]:
        """Tell where the last `execute` stopped."""

    @property
    def step(self) -> Callable[[Cpu, int, bool], int]:
        """Execute one instruction without any accounting.

        Takes the ticks that it may read, and whether it is one that ends a translation
        by itself; others are executed with the trap flag.
        """

    def fault(self, cpu: Cpu) -> Fault:
        """Tell about the exception that was just raised, and make the CPU forget it."""

    def flags(self, cpu: Cpu) -> int:
        """Compute the flags register."""

    def load_register(self, cpu: Cpu, name: str) -> int:
        """Load any register by its lower-case name."""

    def store_register(self, cpu: Cpu, name: str, value: int) -> None:
        """Store any register by its lower-case name."""

    def freeze(self, cpu: Cpu) -> bytes:
        """Encode the state, without anything that belongs to this process."""

    def thaw(self, data: bytes, *, root: int, slot: int, thread_base: int) -> Cpu:
        """Make a state of what `freeze` gave."""

    def close(self) -> None:
        """Give all instances back."""
