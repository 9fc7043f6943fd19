"""A machine for the desk: guests are Python generators, memory is a bytearray.

A guest yields `SysCall`, `Work`, `PageFault` or `Trap` and is sent the `Result` of a
system call.  There is no instruction and no page table; time passes as guests say.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from kernel import abi, port
from kernel.abi import AMD64, Arch
from kernel.events import Event, Failure, Log, Transfer
from kernel.kernel import run
from kernel.message import Utcb
from kernel.objects import Capability, Gate, Object, Task, Thread
from kernel.recorder import Recorder
from kernel.state import Kernel

ALL_RIGHTS = int(abi.Rights.W | abi.Rights.S | abi.Rights.R | abi.Rights.SERVER)
SELF = abi.CAP_INVALID_BIT
NEVER = 0
ZERO = abi.TIMEOUT_ZERO
SEND_ZERO = abi.TIMEOUT_ZERO << 16


@dataclass(frozen=True, slots=True)
class SysCall:
    """The registers of a system call; `words` are stored into the message registers first."""

    selector: int
    tag: int = 0
    label: int = 0
    timeout: int = 0
    words: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What a system call left in the registers."""

    tag: int
    label: int


@dataclass(frozen=True, slots=True)
class Work:
    """Cycles of computing."""

    cycles: int


@dataclass(frozen=True, slots=True)
class PageFault:
    """An access that faults."""

    address: int
    error: int = port.FAULT_USER


@dataclass(frozen=True, slots=True)
class Trap:
    """Any other exception."""

    vector: int


Step: TypeAlias = SysCall | Work | PageFault | Trap
Guest: TypeAlias = Generator[Step, Result, None]


@dataclass(eq=False, slots=True)
class DeskContext:
    registers: memoryview = field(default_factory=lambda: memoryview(bytearray(32)).cast("Q"))
    ip: int = 0x1000
    sp: int = 0x8000
    space: int = 0
    flags: int = 0x202
    address: int = 0
    error: int = 0
    vector: int = 0
    guest: Guest | None = None
    started: bool = False
    utcb: Utcb | None = None
    work: int = 0
    cycles: int = 0
    descriptors: dict[int, int] = field(default_factory=dict)
    bases: dict[str, int] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    fpu: int = 0

    def store_descriptor(self, number: int, descriptor: int) -> None:
        self.descriptors[number] = descriptor

    def finish_call(self) -> None:
        pass

    def load_register(self, name: str) -> int:
        if name in ("rip", "eip"):
            return self.ip
        return self.stored.get(name, 0)

    def store_register(self, name: str, value: int) -> None:
        if name in ("rip", "eip"):
            self.ip = value
        else:
            self.stored[name] = value

    def copy_fpu(self, source: "DeskContext") -> None:
        self.fpu = source.fpu

    def store_segment_base(self, segment: str, base: int) -> None:
        self.bases[segment] = base


@dataclass(eq=False, slots=True)
class DeskMachine:
    arch: Arch = AMD64
    now: int = 0
    instructions: int = 0
    cpu_khz: int = 1_000_000
    frames: range = range(0, 1 << 20, abi.PAGE_SIZE)
    shared_frames: range = range(1 << 20, 2 << 20, abi.PAGE_SIZE)
    memory: bytearray = field(default_factory=lambda: bytearray(2 << 20))
    contexts: dict[int, DeskContext] = field(default_factory=dict)
    entries: dict[int, Guest] = field(default_factory=dict)  # programs by where they start
    spaces: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)
    touched: dict[tuple[int, int], int] = field(default_factory=dict)  # accessed flags
    local: dict[int, list[int]] = field(default_factory=dict)  # descriptor tables of spaces
    local_room: int = 1 << 20  # how many more of them there is room for
    table_pages: int = 1 << 20  # how many pages page tables have room for
    space_room: int = 1 << 20  # and how many more spaces
    clock: int = -1

    @property
    def user_end(self) -> int:
        return self.arch.user_end - abi.PAGE_SIZE

    def run(self, context: DeskContext, deadline: int) -> int:
        started = self.now
        trap = self._run(context, deadline)
        context.cycles += self.now - started
        return trap

    def _run(self, context: DeskContext, deadline: int) -> int:
        while True:
            if context.work:
                step = min(context.work, deadline - self.now)
                context.work -= step
                self.now += step
            if self.now >= deadline:
                return port.DEADLINE
            self.instructions += 1
            match self._next(context):
                case None:  # its program is over: sleep
                    self._load(context, SysCall(SELF | abi.RECEIVE))
                    self.now += 1
                    return port.SYSTEM_CALL
                case SysCall() as call:
                    self._load(context, call)
                    self.now += 1
                    return port.SYSTEM_CALL
                case Work(cycles):
                    context.work = cycles
                case PageFault(address, error):
                    context.address, context.error = address, error
                    self.now += 1
                    return port.PAGE_FAULT
                case Trap(vector):
                    context.vector = vector
                    self.now += 1
                    return port.EXCEPTION

    def _next(self, context: DeskContext) -> Step | None:
        if context.guest is None:
            context.guest = self.entries.pop(context.ip, None)
        if context.guest is None:
            return None
        try:
            if not context.started:
                context.started = True
                return next(context.guest)
            return context.guest.send(
                Result(context.registers[port.TAG], context.registers[port.LABEL])
            )
        except StopIteration:
            return None

    def _load(self, context: DeskContext, call: SysCall) -> None:
        context.registers[port.SELECTOR] = call.selector & self.arch.mask
        context.registers[port.TAG] = call.tag & self.arch.mask
        context.registers[port.LABEL] = call.label
        context.registers[port.TIMEOUT] = call.timeout
        assert context.utcb is not None
        for k, word in enumerate(call.words):
            context.utcb.store(k, word)

    def charge(self, cycles: int) -> None:
        self.now += cycles

    def advance(self, until: int) -> None:
        self.now = max(self.now, until)

    def create_space(self, number: int) -> bool:
        assert number not in self.spaces
        if not self.space_room:
            return False
        self.spaces[number] = {}
        return True

    def destroy_space(self, number: int) -> None:
        assert not any(context.space == number for context in self.contexts.values())
        del self.spaces[number]
        self.local_room += self.local.pop(number, None) is not None

    def store_local_descriptors(
        self, space: int, first: int, descriptors: Sequence[int]
    ) -> bool:
        assert space in self.spaces
        assert 0 <= first < first + len(descriptors) <= 512
        if space not in self.local:
            if not self.local_room:
                return False
            self.local_room -= 1
        # What lies behind the end, and would come back, is of no matter here.
        old = self.local.get(space, [])[:first]
        self.local[space] = old + [0] * (first - len(old)) + list(descriptors)
        return True

    def map(self, space: int, address: int, frame: int, rights: int) -> bool:
        pages = self.spaces[space]
        assert frame in self.frames or frame in self.shared_frames
        assert 0 <= address < self.user_end
        assert address % abi.PAGE_SIZE == 0
        assert 0 < rights < 8
        if address not in pages and not self.table_pages:
            return False
        if pages.get(address, (frame, 0))[0] != frame:
            self.touched.pop((space, address), None)
        self.table_pages -= address not in pages
        pages[address] = (frame, rights)
        return True

    def unmap(self, space: int, address: int) -> None:
        del self.spaces[space][address]
        self.touched.pop((space, address), None)
        self.table_pages += 1

    def accessed(self, space: int, address: int) -> int:
        assert address in self.spaces[space]
        return self.touched.get((space, address), 0)

    def set_accessed(self, space: int, address: int, flags: int) -> None:
        assert address in self.spaces[space]
        self.touched[space, address] = flags

    def create_context(
        self, number: int, *, space: int, ip: int, sp: int, thread_base: int
    ) -> DeskContext:
        at = thread_base - 63 * self.arch.word
        frame, _ = self.spaces[space][at & -abi.PAGE_SIZE]
        message = Utcb(self.words(frame + at % abi.PAGE_SIZE, 128))
        self.contexts[number] = DeskContext(ip=ip, sp=sp, space=space, utcb=message)
        return self.contexts[number]

    def context(self, number: int) -> DeskContext:
        return self.contexts[number]

    def call_site(self, context: DeskContext) -> int:
        return context.ip

    def destroy_context(self, number: int) -> None:
        del self.contexts[number]

    def place_clock(self, address: int) -> None:
        self.clock = address

    def store_clock(self, value: int) -> None:
        self.memory[self.clock : self.clock + 8] = value.to_bytes(8, "little")

    def words(self, frame: int, count: int) -> memoryview:
        size = count * self.arch.word
        view = memoryview(self.memory)[frame : frame + size]
        return view.cast("Q" if self.arch.word == 8 else "I")


class Recording(Recorder):
    """Keeps every event."""

    __slots__ = ("events",)

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def transfers(self) -> list[Transfer]:
        return [event for event in self.events if isinstance(event, Transfer)]

    def failures(self) -> list[Failure]:
        return [event for event in self.events if isinstance(event, Failure)]

    def console(self) -> bytes:
        return b"".join(event.data for event in self.events if isinstance(event, Log))


@dataclass(eq=False, slots=True)
class Desk:
    """A kernel on a desk machine, and short ways to set a scene."""

    arch: Arch = AMD64
    machine: DeskMachine = field(init=False)
    recording: Recording = field(init=False)
    kernel: Kernel = field(init=False)
    results: dict[int, list[Result]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.machine = DeskMachine(self.arch)
        self.recording = Recording()
        self.kernel = Kernel(self.machine, self.arch, recorder=self.recording)

    def task(self) -> Task:
        return self.kernel.create_task()

    def thread(
        self, *steps: Step, task: Task | None = None, priority: int = abi.PRIORITY_DEFAULT
    ) -> Thread:
        """Make a thread that takes these steps; `results` collects what its calls returned."""
        thread = self.idle_thread(task=task, priority=priority)
        self.program(thread, *steps)
        return thread

    def idle_thread(
        self, *, task: Task | None = None, priority: int = abi.PRIORITY_DEFAULT
    ) -> Thread:
        """Make a thread whose program is given later, when its partners have numbers."""
        owner = task if task is not None else self.task()
        thread = self.kernel.create_thread(owner, ip=0x1000, sp=0x8000, priority=priority)
        self.kernel.start(thread)
        return thread

    def program(self, thread: Thread, *steps: Step) -> None:
        self.guest(thread, self._script(thread.number, steps))

    def guest(self, thread: Thread, guest: Guest) -> None:
        context = self.machine.contexts[thread.number]
        context.guest = guest
        context.started = False

    def cap(self, thread: Thread, index: int, target: Object, rights: int = ALL_RIGHTS) -> int:
        """Give a thread's task a capability; the selector comes back."""
        self.kernel.insert_cap(thread.task, index, Capability(target, rights))
        return index << abi.CAP_SHIFT

    def gate(self, thread: Thread | None, label: int) -> Gate:
        return self.kernel.create_gate(thread, label)

    def run(self, until: int = 10_000_000) -> str:
        return run(self.kernel, until).name.lower()

    def result(self, thread: Thread) -> list[Result]:
        return self.results.get(thread.number, [])

    def error(self, thread: Thread) -> int:
        return thread.utcb.load(123)

    def _script(self, number: int, steps: tuple[Step, ...]) -> Guest:
        for step in steps:
            result = yield step
            if isinstance(step, SysCall):
                self.results.setdefault(number, []).append(result)


def tag(label: int = 0, words: int = 0, items: int = 0, flags: int = 0) -> int:
    """Put a tag for amd64 together."""
    return abi.encode_tag(label, words=words, items=items, flags=flags, bits=64)


Make: TypeAlias = Callable[[], Guest]


def object_item(index: int) -> tuple[int, int]:
    """Give the two words of an item that names capability `index` (ABI 4.9)."""
    return 8, index << abi.CAP_SHIFT | 3 << 4 | int(abi.Rights.R)
