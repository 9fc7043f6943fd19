"""A system: the machine, the kernel and the programs of one scenario, booted and ready.

Boot follows the scenario format (docs/scenarios.md): segments are mapped with their own
rights and nothing else is mapped but stacks, UTCBs and, on ia32, the kernel's call page;
threads start in the file's order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from emu.machine import Machine, MachineConfig
from guest.errors import GuestError
from guest.image import Image, Segment, resolve
from guest.load import load_images
from guest.scenario import CapKind, CapSpec, IrqSpec, Scenario, TaskSpec, ThreadSpec
from kernel import abi, kip
from kernel.abi import PAGE_SIZE, Page
from kernel.errors import UsageError
from kernel.irq import bind, schedule
from kernel.objects import Capability, Irq, Object, Task, Thread
from kernel.port import Probe
from kernel.recorder import Recorder
from kernel.state import Kernel
from lab.names import Names
from lab.trace.format import Identity

PAGER_RIGHTS = abi.Rights.W | abi.Rights.S | abi.Rights.R
_CLIENT_SHIFT = 4  # as sigma0 numbers its clients (ABI 8.1): the low bits are for rights
STACKS_END = 0x8000_0000  # the first thread's stack ends here, others lie below
GUARD = PAGE_SIZE  # unmapped between two stacks
CPU_KHZ = 1_000_000
MODEL = "flat-1"  # one cycle an instruction; the name changes with every cost


@dataclass(eq=False, slots=True)
class System:
    """One booted scenario."""

    scenario: Scenario
    machine: Machine
    kernel: Kernel
    names: Names
    images: dict[str, Image]  # by task name
    tasks: dict[str, Task]

    def close(self) -> None:
        """Give the machine's memory back."""
        self.machine.close()

    def load_word(self, task: str, address: int) -> int:
        """Read a machine word of a task's memory."""
        word = self.kernel.arch.word
        data = self.machine.read(self.tasks[task].number, address, word)
        return int.from_bytes(data, "little")


def load_programs(scenario: Scenario) -> dict[str, Image]:
    """Load the image of every task, by its name."""
    folder = scenario.path.parent
    paths = [task.image for task in scenario.tasks]
    images = load_images(paths, scenario.arch, folders=[folder])
    return {task.name: image for task, image in zip(scenario.tasks, images, strict=True)}


def identify(scenario: Scenario, images: dict[str, Image]) -> Identity:
    """Say what makes a run of this scenario with these programs what it is."""
    return Identity(
        arch=scenario.arch.name,
        model=f"{MODEL} {CPU_KHZ} kHz",
        images=tuple(images[task.name].digest for task in scenario.tasks),
    )


def boot(
    scenario: Scenario,
    images: dict[str, Image],
    *,
    recorder: Recorder | None = None,
    probe: Probe | None = None,
    machine: Machine | None = None,
) -> System:
    """Make a system of a scenario; nothing has run yet.

    Raises GuestError if the programs do not fit the scenario or the machine.
    """
    if machine is None:
        machine = Machine(configure(scenario))
    kernel = Kernel(machine, scenario.arch, recorder=recorder, probe=probe)
    builder = _Builder(scenario, images, machine, kernel)
    try:
        builder.build()
    except UsageError as error:
        machine.close()
        raise GuestError(str(error), file=str(scenario.path)) from error
    except GuestError:
        machine.close()
        raise
    return System(scenario, machine, kernel, builder.names, images, builder.tasks)


def configure(scenario: Scenario) -> MachineConfig:
    """Give the machine that a scenario asks for."""
    arch = scenario.arch
    return MachineConfig(
        arch=arch.name, ram=scenario.ram, cpu_khz=CPU_KHZ, call_page=arch.call_page
    )


class _Builder:
    """Builds a scene; in phases, since capabilities may name what comes later in the file."""

    def __init__(
        self, scenario: Scenario, images: dict[str, Image], machine: Machine, kernel: Kernel
    ) -> None:
        self.scenario = scenario
        self.images = images
        self.machine = machine
        self.kernel = kernel
        self.tasks: dict[str, Task] = {}
        self.threads: dict[str, Thread] = {}
        self.gates: dict[str, Object] = {}
        self.irqs: dict[str, Irq] = {}
        self.semaphores: dict[str, Object] = {}
        self.single: dict[CapKind, Object] = {  # objects of which there is one
            CapKind.LOG: kernel.log,
            CapKind.FACTORY: kernel.factory,
            CapKind.SCHEDULER: kernel.scheduler_object,
        }
        self.names = Names(kernel.arch)

    def build(self) -> None:
        kernel = self.kernel
        named: dict[int, str] = self.names.objects
        named[0] = "kernel"
        named[kernel.log.number] = "log"
        named[kernel.factory.number] = "factory"
        named[kernel.scheduler_object.number] = "scheduler"
        for spec in self.scenario.tasks:
            self._build_task(spec)
        for gate in self.scenario.gates:
            made = kernel.create_gate(self.threads[gate.thread], gate.label)
            self.gates[gate.name] = made
            named[made.number] = gate.name
        for irq in self.scenario.irqs:
            self._build_irq(irq)
        for name in self.scenario.semaphores:
            semaphore = kernel.create_semaphore()
            self.semaphores[name] = semaphore
            named[semaphore.number] = name
        for spec in self.scenario.tasks:
            self._give_pagers(spec)
        # A character of the kernel's text is a byte.
        kernel.input = self.scenario.console_input.decode("latin-1")
        for spec in self.scenario.tasks:
            for cap in spec.caps:
                made_cap = Capability(self._object(cap), int(cap.rights))
                kernel.insert_cap(self.tasks[spec.name], cap.index, made_cap)
        for thread in self.threads.values():
            kernel.start(thread)

    def _give_pagers(self, spec: TaskSpec) -> None:
        # A task reaches each of its pagers and handlers through a gate of its own, which
        # tells whose fault it is; the first thread's pager is at the initial capability.
        task = self.tasks[spec.name]
        arch = self.kernel.arch
        label = (self.scenario.tasks.index(spec) + 1) << _CLIENT_SHIFT
        known: dict[str, int] = {}
        last = arch.cap_limit
        for thread in spec.threads:
            for name in (thread.pager, thread.handler):
                if name is None or name in known:
                    continue
                if thread is spec.threads[0] and name == thread.pager:
                    index = abi.CAP_PAGER
                else:
                    index = last = last - 1
                gate = self.kernel.create_gate(self.threads[name], label)
                task.caps[index] = Capability(gate, int(PAGER_RIGHTS))
                self.names.objects[gate.number] = f"{spec.name}@{name}"
                known[name] = index
            made = self.threads[thread.full_name]
            made.pager = known[thread.pager] if thread.pager else 0
            made.handler = known[thread.handler] if thread.handler else 0

    def _build_irq(self, spec: IrqSpec) -> None:
        irq = self.kernel.create_irq()
        self.irqs[spec.name] = irq
        self.names.objects[irq.number] = spec.name
        if spec.thread is not None:
            bind(self.kernel, irq, self.threads[spec.thread], spec.label)
        for cycle in spec.at:
            schedule(self.kernel, irq, cycle)

    def _map_kip(self, spec: TaskSpec, task: Task) -> None:
        kernel = self.kernel
        address = kernel.arch.kip
        if address in task.pages or address in task.ku_pages:
            raise GuestError(
                f"something else is mapped at {address:#x} already",
                file=str(self.scenario.path),
                key=f"{spec.threads[0].key}.kip",
            )
        if not kernel.kip_frame:
            machine = self.machine
            kernel.create_kip(
                kip.describe(kernel.arch, cpu_khz=machine.cpu_khz, ram=self.scenario.ram)
            )
        kernel.map_kip(task)

    def _build_task(self, spec: TaskSpec) -> None:
        image = self.images[spec.name]
        task = self.kernel.create_task()
        self.tasks[spec.name] = task
        self.names.objects[task.number] = spec.name
        taken = self._map_segments(task, image.segments)
        end = STACKS_END
        for thread in spec.threads:
            base = end - thread.stack
            if base <= 0 or any(base <= page < end for page in taken):
                raise GuestError(
                    f"the stack {max(base, 0):#x}-{end:#x} overlaps a segment of {image.name}",
                    file=str(self.scenario.path),
                    key=f"{thread.key}.stack",
                )
            for page in range(base, end, PAGE_SIZE):
                self.kernel.map(task, page, self.kernel.allocate_frame(), Page.R | Page.W)
            self._build_thread(task, thread, image, end)
            end = base - GUARD
        if spec.kip:
            self._map_kip(spec, task)

    def _build_thread(
        self, task: Task, thread: ThreadSpec, image: Image, stack_end: int
    ) -> None:
        entry = image.entry
        if thread.entry is not None:
            entry = resolve(
                image,
                thread.entry,
                file=str(self.scenario.path),
                key=f"{thread.key}.entry",
            )
        made = self.kernel.create_thread(task, ip=entry, sp=stack_end, priority=thread.priority)
        name = thread.full_name
        if thread.argument:
            register = "rdi" if self.kernel.arch.word == 8 else "eax"
            self.machine.context(made.number).store_register(register, thread.argument)
        self.threads[name] = made
        self.names.objects[made.number] = name
        self.names.images[made.number] = image

    def _map_segments(self, task: Task, segments: Sequence[Segment]) -> set[int]:
        """Map an image; the pages that it takes come back."""
        for segment in segments:
            for page, offset, data in _pages(segment):
                if page not in task.pages:
                    frame = self.kernel.allocate_frame()
                    self.kernel.map(task, page, frame, int(segment.rights))
                if data:
                    self.machine.write_physical(task.pages[page].frame + offset, data)
        return set(task.pages)

    def _object(self, cap: CapSpec) -> Object:
        match cap.kind:
            case CapKind.GATE:
                return self.gates[cap.name]
            case CapKind.THREAD:
                return self.threads[cap.name]
            case CapKind.TASK:
                return self.tasks[cap.name]
            case CapKind.IRQ:
                return self.irqs[cap.name]
            case CapKind.SEMAPHORE:
                return self.semaphores[cap.name]
            case kind:
                return self._only(kind)

    def _only(self, kind: CapKind) -> Object:
        # Those that no scenario must have are made when one asks for them.
        if kind not in self.single:
            kernel = self.kernel
            made = kernel.create_icu() if kind is CapKind.ICU else kernel.create_debugger()
            self.single[kind] = made
            self.names.objects[made.number] = kind.value
        return self.single[kind]


def _pages(segment: Segment) -> Iterator[tuple[int, int, bytes]]:
    # Page by page: its address, where in it the segment's data goes, that data.
    page = segment.address & -PAGE_SIZE
    while page < segment.end:
        start = max(page, segment.address)
        data = segment.data[start - segment.address : page + PAGE_SIZE - segment.address]
        yield page, start - page, data
        page += PAGE_SIZE
