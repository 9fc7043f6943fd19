"""A system: the machine, the kernel and the programs of one scenario, booted and ready."""

from dataclasses import dataclass

from emu.errors import NotMappedError
from emu.machine import Machine, MachineConfig
from guest.errors import GuestError
from guest.image import Image
from guest.load import load_images
from guest.scenario import Scenario
from kernel.errors import UsageError
from kernel.objects import Irq, Task, Thread
from kernel.port import Probe
from kernel.recorder import Recorder
from kernel.state import Kernel
from kernel.variation import Variation, encode
from lab.names import Names
from lab.replay.choices import steer
from lab.replay.scene import Scene
from lab.trace.format import Identity

CPU_KHZ = 1_000_000
MODEL = "flat-1"  # one cycle an instruction; the name changes with every cost


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


def identify(
    scenario: Scenario, images: dict[str, Image], variation: Variation = ()
) -> Identity:
    """Say what makes a run of this scenario with these programs what it is."""
    return Identity(
        arch=scenario.arch.name,
        model=f"{MODEL} {CPU_KHZ} kHz",
        images=tuple(images[task.name].digest for task in scenario.tasks),
        variation=tuple(map(encode, variation)),
    )


def boot(
    scenario: Scenario,
    images: dict[str, Image],
    *,
    recorder: Recorder | None = None,
    probe: Probe | None = None,
    machine: Machine | None = None,
    variation: Variation = (),
) -> System:
    """Make a system of a scenario; nothing has run yet.

    What a variation steers happens by a probe of its own; what it changes is for the machine.

    Raises GuestError if the programs do not fit the scenario or the machine.
    """
    if machine is None:
        machine = Machine(configure(scenario))
    kernel = Kernel(machine, scenario.arch, recorder=recorder, probe=probe)
    scene = Scene(scenario, images, machine, kernel)
    try:
        scene.build()
    except UsageError as error:
        machine.close()
        raise GuestError(str(error), file=str(scenario.path)) from error
    except GuestError:
        machine.close()
        raise
    steer(kernel, variation)
    return System(scenario, machine, kernel, scene.names, images, scene.tasks)


def configure(scenario: Scenario) -> MachineConfig:
    """Give the machine that a scenario asks for."""
    arch = scenario.arch
    return MachineConfig(
        arch=arch.name, ram=scenario.ram, cpu_khz=CPU_KHZ, call_page=arch.call_page
    )
