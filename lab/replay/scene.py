"""Building a scene: the objects that a scenario names, in a kernel that is still empty.

Boot follows the scenario format (docs/scenarios.md): segments are mapped with their own
rights and nothing else is mapped but stacks, UTCBs and, on ia32, the kernel's call page;
threads start in the file's order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from emu.machine import Machine
from guest.errors import GuestError
from guest.host import HOST
from guest.image import Image, Segment, resolve
from guest.scenario import CapKind, CapSpec, IrqSpec, Scenario, Start, TaskSpec, ThreadSpec
from kernel import abi, kip
from kernel.abi import PAGE_SIZE, Page
from kernel.errors import UsageError
from kernel.irq import bind, schedule
from kernel.objects import Capability, Irq, Object, Task, Thread
from kernel.state import Kernel
from lab.names import Names
from lab.replay import modules
from lab.replay.host import HostThread, build_host
from lab.replay.modules import Module, Placed
from lab.replay.start import Grants, build_stack

PAGER_RIGHTS = abi.Rights.W | abi.Rights.S | abi.Rights.R
# Programs at their own physical addresses, and what the info page calls their memory.
_ONE_TO_ONE = {Start.SIGMA0: kip.Kind.DEDICATED, Start.ROOT: kip.Kind.BOOTLOADER}
_FULL = int(Page.R | Page.W | Page.X)
_WITH_KIP = (Start.SIGMA0, Start.L4RE)
_UTCB_PAGES = {8: 2, 4: 1}  # of an L4Re program, by the size of a word (ABI 2)
_ROOT_LABEL = 0x40  # sigma0 knows its client by this (ABI 6.12)
_CLIENT_SHIFT = 4  # as sigma0 numbers its clients (ABI 8.1): the low bits are for rights
STACKS_END = 0x8000_0000  # the first thread's stack ends here, others lie below
GUARD = PAGE_SIZE  # unmapped between two stacks


class Scene:
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
        self.host: HostThread | None = None
        self.modules: Placed | None = None  # what the boot loader left in memory

    def build(self) -> None:
        """Make everything; GuestError or UsageError if it does not fit."""
        kernel = self.kernel
        named: dict[int, str] = self.names.objects
        named[0] = "kernel"
        named[kernel.log.number] = "log"
        named[kernel.factory.number] = "factory"
        named[kernel.scheduler_object.number] = "scheduler"
        self._reserve_memory()
        for spec in self.scenario.tasks:
            self._build_task(spec)
        self._show_kip()
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
        if self.scenario.host is not None:
            self._build_host()

    def _build_host(self) -> None:
        made: dict[str, Mapping[str, Object]] = {
            "gate": self.gates,
            "irq": self.irqs,
            "semaphore": self.semaphores,
        }
        objects: list[tuple[str, Object]] = [
            (f"{kind}:{name}", each)
            for kind, named in made.items()
            for name, each in named.items()
        ]
        host = self.host = build_host(self.scenario, self.kernel, objects)
        self.names.objects[host.task.number] = HOST
        self.names.objects[host.number] = HOST
        self.kernel.start(self.kernel.threads[host.number])

    def _give_pagers(self, spec: TaskSpec) -> None:
        # A task reaches each of its pagers and handlers through a gate of its own, which
        # tells whose fault it is; the first thread's pager is at the initial capability.
        task = self.tasks[spec.name]
        if spec.start is Start.ROOT:
            self._give_sigma0(spec, task)
            return
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

    def _give_sigma0(self, spec: TaskSpec, task: Task) -> None:
        server = next((s for s in self.scenario.tasks if s.start is Start.SIGMA0), None)
        if server is None:
            raise GuestError(
                'a task with start = "root" needs one with start = "sigma0"',
                file=str(self.scenario.path),
                key=f"{spec.threads[0].key}.start",
            )
        gate = self.kernel.create_gate(self.threads[server.name], _ROOT_LABEL)
        self.kernel.insert_cap(task, abi.CAP_PAGER, Capability(gate, int(PAGER_RIGHTS)))
        self.names.objects[gate.number] = f"{spec.name}@{server.name}"
        self.threads[spec.name].pager = abi.CAP_PAGER

    def _build_irq(self, spec: IrqSpec) -> None:
        irq = self.kernel.create_irq()
        self.irqs[spec.name] = irq
        self.names.objects[irq.number] = spec.name
        if spec.thread is not None:
            bind(self.kernel, irq, self.threads[spec.thread], spec.label)
        for cycle in spec.at:
            schedule(self.kernel, irq, cycle)

    def _reserve_memory(self) -> None:
        # Programs that are loaded where they lie come first: the rest goes around them.
        for spec in self.scenario.tasks:
            if spec.start not in _ONE_TO_ONE:
                continue
            for page, _ in _pages_of(self.images[spec.name]):
                if page not in self.machine.frames or page in self.kernel.reserved:
                    size = self.scenario.ram
                    raise GuestError(
                        f"{page:#x} is outside of {size:#x} bytes of RAM, or taken: "
                        f'a program with start = "{spec.start}" lies at its own addresses',
                        file=str(self.scenario.path),
                        key=f"{spec.threads[0].key}.image",
                    )
                self.kernel.reserved[page] = None
        self._load_modules()

    def _load_modules(self) -> None:
        # A root task finds its modules by a table; both end where the RAM ends.
        scenario, images = self.scenario, self.images
        starts = {spec.start: spec for spec in scenario.tasks}
        if Start.ROOT not in starts:
            if scenario.modules:
                raise GuestError(
                    'modules are for a task with start = "root", and there is none',
                    file=str(scenario.path),
                    key="module[0]",
                )
            return
        wanted: list[Module] = []
        for start, kind in ((Start.SIGMA0, modules.SIGMA0), (Start.ROOT, modules.ROOT)):
            if start in starts:
                name = starts[start].name
                spans = _spans(images[name])
                first, last = (spans[0][0], spans[-1][1] + 1) if spans else (0, 0)
                wanted.append(Module(kind, f"rom/{name}", first, last))
        for spec in scenario.modules:
            wanted.append(Module(modules.OTHER, spec.command, content=spec.text.encode()))
        placed = modules.place(wanted, end=self.machine.frames.stop)
        pages = range(placed.base, placed.base + len(placed.data), PAGE_SIZE)
        if any(
            page not in self.machine.frames or page in self.kernel.reserved for page in pages
        ):
            raise GuestError(
                f"{len(placed.data):#x} bytes of modules find no room at the end of "
                f"{scenario.ram:#x} bytes of RAM",
                file=str(scenario.path),
                key="ram",
            )
        self.kernel.reserved.update(dict.fromkeys(pages))
        self.machine.write_physical(placed.base, placed.data)
        self.modules = placed

    def _show_kip(self) -> None:
        # Last, since it says which memory is in use.
        kernel, arch = self.kernel, self.kernel.arch
        users = [spec for spec in self.scenario.tasks if spec.kip or spec.start in _WITH_KIP]
        if not users:
            return
        base = kip.describe(arch, cpu_khz=self.machine.cpu_khz, ram=self.scenario.ram)
        used = kip.Memory(0, kernel.frame - 1, kip.Kind.RESERVED) if kernel.frame else None
        regions = [*base.memory, *([used] if used else [])]
        features = base.features
        if any(spec.pf_trampoline for spec in self.scenario.tasks):
            features += ("pf_tramp",)
        entries = {Start.SIGMA0: 0, Start.ROOT: 0}
        for spec in self.scenario.tasks:
            if spec.start in _ONE_TO_ONE:
                image = self.images[spec.name]
                entries[spec.start] = image.entry
                kind = _ONE_TO_ONE[spec.start]
                rights = _FULL if kind is kip.Kind.BOOTLOADER else 0
                regions += (
                    kip.Memory(first, last, kind, subtype=rights)
                    for first, last in _spans(image)
                )
        user_pointer = 0
        if self.modules is not None:
            # All of it is the root task's to read.
            user_pointer = self.modules.base
            last = user_pointer + len(self.modules.data) - 1
            regions.append(
                kip.Memory(
                    user_pointer, last, kip.Kind.BOOTLOADER, subtype=int(Page.R | Page.W)
                )
            )
        kernel.create_kip(
            replace(
                base,
                user_pointer=user_pointer,
                memory=tuple(regions),
                features=features,
                sigma0_ip=entries[Start.SIGMA0],
                root_ip=entries[Start.ROOT],
            )
        )
        for spec in users:
            task = self.tasks[spec.name]
            if spec.start is Start.SIGMA0:
                # One to one, like everything that sigma0 has (ABI 8.1).
                kernel.map(task, kernel.kip_frame, kernel.kip_frame, Page.R | Page.X)
                register = "rdi" if arch.word == 8 else "ecx"
                context = self.threads[spec.name].context
                context.store_register(register, kernel.kip_frame)
            elif spec.start is not Start.ROOT:
                self._map_kip(spec, task)

    def _map_kip(self, spec: TaskSpec, task: Task) -> None:
        kernel = self.kernel
        address = kernel.arch.kip
        if address in task.pages or address in task.ku_pages:
            raise GuestError(
                f"something else is mapped at {address:#x} already",
                file=str(self.scenario.path),
                key=f"{spec.threads[0].key}.kip",
            )
        kernel.map_kip(task)

    def _build_task(self, spec: TaskSpec) -> None:
        image = self.images[spec.name]
        task = self.kernel.create_task()
        self.tasks[spec.name] = task
        self.names.objects[task.number] = spec.name
        task.trampolines = spec.pf_trampoline
        if spec.start in _ONE_TO_ONE:
            self._load_in_place(spec, task, image)
            return
        taken = self._map_segments(task, image.segments)
        if spec.start is Start.L4RE:
            self._add_utcb_area(spec, task)
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
        if spec.start is Start.L4RE:
            self._fill_stack(spec, task, image)

    def _load_in_place(self, spec: TaskSpec, task: Task, image: Image) -> None:
        # Nothing is mapped yet: sigma0's pages come from the kernel, the root's from sigma0.
        task.utcb_area = self.kernel.arch.root_utcb
        task.sigma0 = spec.start is Start.SIGMA0
        for page, parts in _pages_of(image):
            for offset, data in parts:
                self.machine.write_physical(page + offset, data)
        self._build_thread(task, spec.threads[0], image, 0)

    def _add_utcb_area(self, spec: TaskSpec, task: Task) -> None:
        address = self.kernel.arch.user_utcb
        size = _UTCB_PAGES[self.kernel.arch.word] * PAGE_SIZE
        if len(spec.threads) * self.kernel.arch.utcb_size > size:
            raise GuestError(
                f"{len(spec.threads)} threads, more than the UTCB area has room for",
                file=str(self.scenario.path),
                key=f"{spec.threads[0].key}.thread",
            )
        if self.kernel.add_ku_mem(task, address, size):
            raise UsageError(f"no kernel-user memory at {address:#x}")

    def _fill_stack(self, spec: TaskSpec, task: Task, image: Image) -> None:
        arch = self.kernel.arch
        pages = _UTCB_PAGES[arch.word]
        grants = Grants(
            caps=frozenset((*task.caps, *(cap.index for cap in spec.caps))),
            names=spec.names,
            utcb_area=arch.user_utcb,
            utcb_order=(pages * PAGE_SIZE).bit_length() - 1,
            first_free_utcb=arch.user_utcb + len(spec.threads) * arch.utcb_size,
        )
        sp, content = build_stack(
            image, top=STACKS_END, arguments=spec.arguments, grants=grants
        )
        if len(content) > spec.threads[0].stack:
            raise GuestError(
                f"the arguments take {len(content)} bytes",
                file=str(self.scenario.path),
                key=f"{spec.threads[0].key}.stack",
            )
        self.machine.write(task.number, sp, content)
        self.threads[spec.name].context.sp = sp

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


def _pages_of(image: Image) -> list[tuple[int, list[tuple[int, bytes]]]]:
    # All of an image, each page once: its address, and what goes where in it.
    found: dict[int, list[tuple[int, bytes]]] = {}
    for segment in image.segments:
        for page, offset, data in _pages(segment):
            found.setdefault(page, []).append((offset, data))
    return sorted(found.items())


def _spans(image: Image) -> list[tuple[int, int]]:
    # Its pages as runs: first address, last address.
    runs: list[tuple[int, int]] = []
    for page, _ in _pages_of(image):
        if runs and runs[-1][1] + 1 == page:
            runs[-1] = runs[-1][0], page + PAGE_SIZE - 1
        else:
            runs.append((page, page + PAGE_SIZE - 1))
    return runs


def _pages(segment: Segment) -> Iterator[tuple[int, int, bytes]]:
    # Page by page: its address, where in it the segment's data goes, that data.
    page = segment.address & -PAGE_SIZE
    while page < segment.end:
        start = max(page, segment.address)
        data = segment.data[start - segment.address : page + PAGE_SIZE - segment.address]
        yield page, start - page, data
        page += PAGE_SIZE
