"""A system: the machine, the kernel and the programs of one scenario, booted and ready."""

from dataclasses import dataclass
from hashlib import blake2b

from emu.cost import cost_digest
from emu.errors import NotMappedError
from emu.machine import Machine, MachineConfig
from emu.timing import Timing
from guest.errors import GuestError
from guest.host import encode as encode_call
from guest.image import Image, resolve
from guest.load import load_images
from guest.scenario import Scenario
from kernel.cost import Costs
from kernel.errors import UsageError
from kernel.objects import Irq, Task, Thread
from kernel.port import Probe
from kernel.recorder import Recorder
from kernel.state import Kernel
from kernel.variation import Variation, encode
from lab.names import Names
from lab.replay.choices import steer
from lab.replay.host import HostThread, check_calls, let_call, repeat_calls
from lab.replay.scene import Scene
from lab.timing import DEFAULT_TIMING
from lab.trace.format import Identity

CPU_KHZ = 1_000_000

_DIGEST = 8  # bytes


@dataclass(frozen=True, slots=True)
class Subjects:
    """Who makes choices, by name: a thread, a gate and an IRQ may be called the same."""

    threads: dict[str, int]
    irqs: dict[str, int]


@dataclass(eq=False, slots=True)
class System:
    """One booted scenario."""

    scenario: Scenario
    machine: Machine
    kernel: Kernel
    names: Names
    images: dict[str, Image]  # by task name
    tasks: dict[str, Task]
    host: HostThread | None = None

    def close(self) -> None:
        """Give the machine's memory back."""
        self.machine.close()

    def subjects(self) -> Subjects:
        """Find threads and IRQs by the names that the scenario gives them."""
        threads: dict[str, int] = {}
        irqs: dict[str, int] = {}
        for number, name in self.names.objects.items():
            thing = self.kernel.objects.get(number)
            if isinstance(thing, Thread):
                threads[name] = number
            elif isinstance(thing, Irq):
                irqs[name] = number
        return Subjects(threads, irqs)

    def load_word(self, task: str, address: int) -> int | None:
        """Read a machine word of a task's memory; None if it is not mapped, or no more."""
        word = self.kernel.arch.word
        found = self.tasks[task]
        try:
            if found.number not in self.kernel.objects:
                return None
            data = self.machine.read(found.number, address, word)
        except NotMappedError:
            return None
        return int.from_bytes(data, "little")


def load_programs(scenario: Scenario) -> dict[str, Image]:
    """Load the image of every task, by its name."""
    folder = scenario.path.parent
    paths = [task.image for task in scenario.tasks]
    images = load_images(paths, scenario.arch, folders=[folder])
    return {task.name: image for task, image in zip(scenario.tasks, images, strict=True)}


def expected_words(
    scenario: Scenario, images: dict[str, Image]
) -> dict[tuple[str, str], tuple[str, int]]:
    """Say where the words are that a scenario expects, by task and symbol, in that order.

    GuestError if a program has no such symbol.
    """
    return {
        (task, symbol): (
            task,
            resolve(
                images[task],
                symbol,
                file=str(scenario.path),
                key=f"expect.memory.{task}.{symbol}",
            ),
        )
        for task, symbol in sorted(scenario.expect.memory or {})
    }


def identify(
    scenario: Scenario,
    images: dict[str, Image],
    variation: Variation = (),
    *,
    timing: Timing = DEFAULT_TIMING,
) -> Identity:
    """Say what makes a run of this scenario with these programs and changes what it is."""
    costs = f"{cost_digest(timing)} {Costs().values()}"
    digest = blake2b(costs.encode(), digest_size=_DIGEST).hexdigest()
    return Identity(
        arch=scenario.arch.name,
        model=f"{timing} {digest} {CPU_KHZ} kHz",
        images=tuple(images[task.name].digest for task in scenario.tasks),
        variation=(
            *map(encode, variation),
            *(encode_call(call) for call in scenario.host or ()),
        ),
    )


def boot(
    scenario: Scenario,
    images: dict[str, Image],
    *,
    recorder: Recorder | None = None,
    probe: Probe | None = None,
    machine: Machine | None = None,
    timing: Timing = DEFAULT_TIMING,
    variation: Variation = (),
) -> System:
    """Make a system of a scenario; nothing has run yet.  A `machine` has its own timing.

    What a variation steers happens by a probe of its own; what it changes is for the machine.

    Raises GuestError if the programs do not fit the scenario or the machine.
    """
    if machine is None:
        machine = Machine(configure(scenario, timing=timing))
    kernel = Kernel(machine, scenario.arch, recorder=recorder, probe=probe)
    scene = Scene(scenario, images, machine, kernel)
    try:
        check_calls(scenario)
        scene.build()
    except UsageError as error:
        machine.close()
        raise GuestError(str(error), file=str(scenario.path)) from error
    except GuestError:
        machine.close()
        raise
    if scene.host is not None:
        let_call(machine, scene.host, repeat_calls(scenario.host or ()))
    steer(kernel, variation)
    return System(scenario, machine, kernel, scene.names, images, scene.tasks, scene.host)


def configure(scenario: Scenario, *, timing: Timing = DEFAULT_TIMING) -> MachineConfig:
    """Give the machine that a scenario asks for."""
    arch = scenario.arch
    return MachineConfig(
        arch=arch.name,
        ram=scenario.ram,
        timing=timing,
        cpu_khz=CPU_KHZ,
        call_page=arch.call_page,
    )
