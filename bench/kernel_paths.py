"""What kernel paths take in l4lab, and on the machines whose figures are published.

Rule 1: figures are taken end to end, as the published ones are: by a guest with a clock in
its hand, so that its own instructions count.
Rule 2: kernel/cost.py was calibrated on CALIBRATION, and looked at no other machine.
"""

from dataclasses import dataclass

from emu.timing import Timing
from guest.image import Image
from guest.scenario import Scenario, load_scenario
from kernel.kernel import run
from lab.replay.system import boot, load_programs

CALIBRATED_CPU = "skylake"  # Cascade Lake is one, as far as the block model goes
ROUNDS = 1000  # of guest/programs/amd64/kernel_paths.s


@dataclass(frozen=True, slots=True)
class Paths:
    """One direction of an IPC within a task and between two, and a system call."""

    intra: float
    inter: float
    system_call: float


@dataclass(frozen=True, slots=True)
class Published:
    """What the L4Re project publishes of Fiasco on a machine: core cycles, no hyper-threads."""

    machine: str
    instructions: Paths | None
    cycles: Paths


# Fiasco's `ipcbench` counts one direction of each IPC: a round trip takes twice as long.
CALIBRATION = Published("Xeon Gold 6248R", Paths(557, 613, 147), Paths(663, 1172, 155))
UNSEEN = (
    Published("Xeon Platinum 8352S", Paths(543, 587, 148), Paths(649, 1128, 160)),
    Published("Core i9-13900K", None, Paths(687, 1240, 158)),
    Published("Intel N100", Paths(557, 613, 147), Paths(622, 1388, 187)),
)


def measure(cpu: str) -> Paths:
    """Run the guests that measure, on a CPU."""
    inter, system_call = _measure(load_scenario("kernel_paths"), cpu)
    intra, _ = _measure(load_scenario("kernel_paths_intra"), cpu)
    return Paths(intra / 2, inter / 2, system_call)


def _measure(scenario: Scenario, cpu: str) -> tuple[float, float]:
    images = load_programs(scenario)
    system = boot(scenario, images, timing=Timing(cpu))
    run(system.kernel, scenario.cycles)
    words = [
        system.load_word("client", _address(images["client"], symbol))
        for symbol in ("call_cycles", "system_call_cycles")
    ]
    system.close()
    call, system_call = (word or 0 for word in words)
    return call / ROUNDS, system_call / ROUNDS


def _address(image: Image, name: str) -> int:
    symbol = image.symbol(name)
    assert symbol is not None, name
    return symbol.address


def scaled(own: Paths, machine: Published) -> Paths:
    """Predict a machine's figures: other builds of Fiasco have other numbers of instructions.

    Nothing else is known of a machine; without the numbers they are taken to be the same.
    """
    theirs, ours = machine.instructions, CALIBRATION.instructions
    if theirs is None or ours is None:
        return own
    return Paths(
        own.intra * theirs.intra / ours.intra,
        own.inter * theirs.inter / ours.inter,
        own.system_call * theirs.system_call / ours.system_call,
    )


def errors(predicted: Paths, published: Paths) -> Paths:
    """Give the errors in percent of what is published."""
    return Paths(
        *(
            100 * (getattr(predicted, name) / getattr(published, name) - 1)
            for name in ("intra", "inter", "system_call")
        )
    )


HEADS = ("machine", "one task", "two tasks", "system call", "errors")


def rows(own: Paths) -> list[tuple[str, ...]]:
    """Give the rows of a table: published, predicted, and how far that is off."""
    found: list[tuple[str, ...]] = [("l4lab, as the first", *_cells(own), "")]
    for machine in (CALIBRATION, *UNSEEN):
        predicted = scaled(own, machine)
        off = errors(predicted, machine.cycles)
        text = "  ".join(f"{value:+.1f} %" for value in (off.intra, off.inter, off.system_call))
        found.append((machine.machine, *_cells(machine.cycles), ""))
        found.append(("  predicted", *_cells(predicted), text))
    return found


def _cells(paths: Paths) -> tuple[str, str, str]:
    return f"{paths.intra:.0f}", f"{paths.inter:.0f}", f"{paths.system_call:.0f}"
