"""What the kernel needs of a machine: a small, coarse interface, kept as Protocols.

Rule 1: a machine decides nothing.  It runs a context until it traps and says why.
Rule 2: cycles are ints, absolute in `now`, `deadline` and `until`; the machine owns the clock.
Rule 3: numbers of contexts and spaces are chosen by the kernel, which is what lets it
be frozen as plain data and thawed against another machine.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

# Why `Machine.run` came back.  `emu.traps` has the same numbers; a test compares them.
DEADLINE = 0  # the clock reached the deadline, between two blocks
SYSTEM_CALL = 1
PAGE_FAULT = 2  # `address`, `error`
EXCEPTION = 3  # `vector`, `error`; an undefined instruction is vector 6

# Indices into a context's `registers`; `emu.context` has the same.
TAG, SELECTOR, LABEL, TIMEOUT = range(4)

# Bits of a page fault's `error` (Intel SDM vol. 3, 4.7).
FAULT_PRESENT = 1
FAULT_WRITE = 2
FAULT_USER = 4
FAULT_FETCH = 16


class Context(Protocol):
    """One thread's CPU state, as the kernel sees it between traps.

    The four system-call registers hold what the guest passed after a SYSTEM_CALL trap;
    tag and label go back to the guest when the context next runs, and only if that trap
    was the context's last.  They are a block of unsigned 64-bit words, which stays where it
    is for as long as the context lives.  `ip` and `sp` may be assigned at any time; `flags`
    is only read.
    """

    @property
    def registers(self) -> memoryview:
        """The system-call registers, by TAG, SELECTOR, LABEL and TIMEOUT."""

    ip: int
    sp: int
    flags: int
    address: int
    error: int
    vector: int

    @property
    def cycles(self) -> int:
        """Cycles that it ran, those of its traps included."""

    def store_descriptor(self, number: int, descriptor: int) -> None:
        """Set one of its own segment descriptors, from 0; data at user level, or absent.

        A segment register that has it loaded keeps what it had.
        """

    def finish_call(self) -> None:
        """Give tag and label to the guest now: they may be changed like any register."""

    def load_register(self, name: str) -> int:
        """Load a register by its lower-case name: general, flags, segment or segment base."""

    def store_register(self, name: str, value: int) -> None:
        """Store a register; of the flags and segments only what a program may have."""

    def copy_fpu(self, source: Any) -> None:
        """Take over x87 and SSE registers of another context."""

    def store_segment_base(self, segment: str, base: int) -> None:
        """Set the base of ``fs`` or ``gs`` and its selector to 0."""


C = TypeVar("C", bound=Context)


class MachineOf(Protocol[C]):
    """CPUs, memory and the clock; `C` is what the machine has for contexts."""

    @property
    def now(self) -> int:
        """The current cycle."""

    @property
    def instructions(self) -> int:
        """Instructions completed since the run began, of all contexts."""

    @property
    def cpu_khz(self) -> int:
        """Cycles in a millisecond."""

    def run(self, context: C, deadline: int) -> int:
        """Run `context` until it traps or `deadline` is reached, and say which.

        A trap costs at least one cycle, charged before this returns.
        """

    def charge(self, cycles: int) -> None:
        """Let `cycles` pass: the kernel worked."""

    def advance(self, until: int) -> None:
        """Let time pass up to `until`: nothing could run."""

    def create_space(self, number: int) -> bool:
        """Make an empty address space; false, and nothing is made, without room for tables."""

    def destroy_space(self, number: int) -> None:
        """Forget an address space; no context may use it any more."""

    def store_local_descriptors(
        self, space: int, first: int, descriptors: Sequence[int]
    ) -> bool:
        """Set entries of a space's local descriptor table, which then ends behind them.

        At least one, and none beyond the 512th; they are as those of a context.  False, and
        nothing is changed, without room for a table.
        """

    def map(self, space: int, address: int, frame: int, rights: int) -> bool:
        """Map the page frame at physical `frame` with `rights` (X=1, W=2, R=4).

        The same frame keeps its accessed flags.  False, and nothing is mapped, without
        room for tables; never so where a page is mapped already.
        """

    def unmap(self, space: int, address: int) -> None:
        """Take the page at `address` away."""

    def accessed(self, space: int, address: int) -> int:
        """Tell whether a mapped page was read (R) and written (W) since its flags were set.

        Only accesses by programs count.
        """

    def set_accessed(self, space: int, address: int, flags: int) -> None:
        """Let `accessed` say `flags` until a program adds to them."""

    @property
    def user_end(self) -> int:
        """The first address that no space can map."""

    def create_context(
        self, number: int, *, space: int, ip: int, sp: int, thread_base: int
    ) -> C:
        """Make a context at user level whose thread segment starts at `thread_base`."""

    def context(self, number: int) -> C:
        """Give the context made under this number."""

    def call_site(self, context: C) -> int:
        """Give where the guest's own code goes on after its system call."""

    def destroy_context(self, number: int) -> None:
        """Forget a context."""

    def words(self, frame: int, count: int) -> memoryview:
        """View `count` machine words at physical address `frame`; writes go to the guest."""

    def place_clock(self, address: int) -> None:
        """Say where `store_clock` stores: 8 bytes at a physical address, aligned."""

    def store_clock(self, value: int) -> None:
        """Store 64 bits that change often, maybe in a page that also has code.

        No translation is dropped for it, unless somebody ran these very bytes.
        """

    @property
    def frames(self) -> range:
        """Physical addresses of the page frames of RAM."""

    @property
    def shared_frames(self) -> range:
        """Physical addresses of the page frames for memory shared with the kernel."""


# The kernel gives a machine its own contexts back, whatever they are.
Machine: TypeAlias = MachineOf[Any]


class Probe(Protocol):
    """The lab's two ways to vary a run; a run with a probe is another run."""

    def choose(self, point: str, options: int) -> int:
        """Pick one of `options` ways to go on at a choice point; 0 is what happens without."""

    def undefined_words(self, thread: int, words: memoryview) -> None:
        """Fill the message registers that a delivery to `thread` left undefined."""
