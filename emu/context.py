"""A context: one thread's CPU state, as the machine's user sees it between traps."""

from emu.blocks import NOWHERE
from emu.cost import CYCLE_SHIFT
from emu.engine import AX, IP, SI, SP, USER_DESCRIPTORS, Cpu, Engine
from emu.errors import NoSuchNumberError
from emu.spaces import Space
from emu.traps import DEADLINE, SYSTEM_CALL

# Indices into `Context.registers`.
TAG, SELECTOR, LABEL, TIMEOUT = range(4)


class Held:
    """A context stands at `ip` inside the charged block that starts at `start`.

    A value; no dataclass, as `emu.engine` says.
    """

    __slots__ = ("ip", "repeats", "start")

    def __init__(self, start: int, ip: int, repeats: bool) -> None:
        self.start = start
        self.ip = ip
        self.repeats = repeats  # at a string instruction, between two repetitions


class Context:
    """One thread's CPU state.

    The system-call registers lie in one block of unsigned 64-bit words, which whoever
    runs the context may hold on to; `tag` and its like are the same words by name.  The
    machine fills them at a SYSTEM_CALL trap and gives `tag` and `label` back when the
    context runs next; on ia32 the low halves go back.
    """

    __slots__ = (
        "_engine",
        "_mask",
        "address",
        "blocks",
        "cpu",
        "descriptors",
        "error",
        "held",
        "number",
        "registers",
        "site",
        "site_mappings",
        "site_sp",
        "slot",
        "space",
        "thread_base",
        "ticks",
        "trap",
        "vector",
    )

    def __init__(
        self,
        number: int,
        *,
        space: Space,
        slot: int,
        thread_base: int,
        cpu: Cpu,
        engine: Engine,
        mask: int,
    ) -> None:
        self.number = number
        self.space = space
        self.blocks = space.blocks
        self.slot = slot  # of its descriptor table
        self.thread_base = thread_base
        self.cpu = cpu
        self.descriptors = [0] * USER_DESCRIPTORS  # its own segments
        self.ticks = 0  # that it ran, those of its traps included
        self.trap = 0  # the last one; DEADLINE before the first
        self.held: Held | None = None
        self.registers = memoryview(bytearray(4 * 8)).cast("Q")
        self.address = self.error = self.vector = 0
        # Where the return address of the last system call lies, for which stack pointer
        # and after how many changes of mappings: see `Machine.call_site`.
        self.site: memoryview | None = None
        self.site_sp = 0
        self.site_mappings = -1
        self._engine = engine
        self._mask = mask

    @property
    def tag(self) -> int:
        """The message tag."""
        return self.registers[TAG]

    @tag.setter
    def tag(self, value: int) -> None:
        self.registers[TAG] = value

    @property
    def selector(self) -> int:
        """The capability selector and the operation bits."""
        return self.registers[SELECTOR]

    @selector.setter
    def selector(self, value: int) -> None:
        self.registers[SELECTOR] = value

    @property
    def label(self) -> int:
        """The label."""
        return self.registers[LABEL]

    @label.setter
    def label(self, value: int) -> None:
        self.registers[LABEL] = value

    @property
    def timeout(self) -> int:
        """The pair of timeouts."""
        return self.registers[TIMEOUT]

    @timeout.setter
    def timeout(self, value: int) -> None:
        self.registers[TIMEOUT] = value

    @property
    def ip(self) -> int:
        """The instruction pointer; assigning another one starts a new block."""
        return self.cpu.words[IP]

    @ip.setter
    def ip(self, value: int) -> None:
        value &= self._mask
        if value != self.cpu.words[IP]:
            self.held = None
            self.cpu.previous = NOWHERE
            self.cpu.branch = 0
            self.cpu.words[IP] = value

    @property
    def sp(self) -> int:
        """The stack pointer."""
        return self.cpu.words[SP]

    @sp.setter
    def sp(self, value: int) -> None:
        self.cpu.words[SP] = value & self._mask

    @property
    def flags(self) -> int:
        """The flags register."""
        return self._engine.flags(self.cpu)

    @property
    def cycles(self) -> int:
        """Cycles that it ran, those of its traps included."""
        return self.ticks >> CYCLE_SHIFT

    def store_descriptor(self, number: int, descriptor: int) -> None:
        """Set one of its own segment descriptors: data at user level, or not present.

        Segment registers see it when they are loaded next.
        """
        if not 0 <= number < USER_DESCRIPTORS:
            raise NoSuchNumberError("no segment descriptor", number)
        self.descriptors[number] = descriptor
        self._engine.store_descriptors(
            self.cpu, slot=self.slot, thread_base=self.thread_base, own=self.descriptors
        )

    def store_segment_base(self, segment: str, base: int) -> None:
        """Set the base of ``fs`` or ``gs``, and its selector to 0."""
        self._engine.store_segment_base(self.cpu, segment, base & self._mask)

    def finish_call(self) -> None:
        """Give `tag` and `label` back now, and not when the context next runs."""
        if self.trap == SYSTEM_CALL:
            self.trap = DEADLINE
            self.cpu.words[AX] = self.registers[TAG] & self._mask
            self.cpu.words[SI] = self.registers[LABEL] & self._mask

    def copy_fpu(self, source: "Context") -> None:
        """Take over x87 and SSE registers of another context."""
        self._engine.copy_fpu(self.cpu, source.cpu)

    def load_register(self, name: str) -> int:
        """Load a register: a general one, the ip, `flags`, a segment or its base."""
        return self._engine.load_register(self.cpu, name)

    def store_register(self, name: str, value: int) -> None:
        """Store a register; of flags and segments only what a program may have.

        A selector that cannot be loaded becomes null.  `cs` and `ss` cannot be stored.
        """
        if name in ("rip", "eip"):
            self.ip = value
        else:
            self._engine.store_register(self.cpu, name, value)
