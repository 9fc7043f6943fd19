"""The head of a trace: the run that it is of, with all that is needed to repeat it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from guest.image import Image
from guest.scenario import Scenario
from kernel.abi import Arch
from lab.names import Names
from lab.trace.format import Identity


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a run before its first event.

    `images` are those of the tasks, in the scenario's order; `objects` has the scenario's
    names of the kernel's objects, `threads` the programs of its threads.
    """

    scenario_name: str
    scenario: str  # its text
    arch: Arch
    budget: int
    model: str
    cpu_khz: int
    images: dict[str, Image] = field(repr=False)
    objects: dict[int, str]
    threads: dict[int, Image] = field(repr=False)
    versions: tuple[tuple[str, str], ...] = ()
    variation: tuple[str, ...] = ()

    def identity(self) -> Identity:
        """Say what makes the run what it is."""
        digests = tuple(image.digest for image in self.images.values())
        return Identity(self.arch.name, self.model, digests, self.variation)

    def names(self) -> Names:
        """Give the names that hold before the first event; new ones each time."""
        return Names(self.arch, objects=dict(self.objects), images=dict(self.threads))


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a run: `events` are all that happened, stored or not."""

    outcome: str
    engine: str
    events: int
    cycles: int
    instructions: int
    messages: int
    invocations: int
    trace_hash: str
    checked: bool = False  # the checker watched it: findings and lives are all there were


def describe_run(
    scenario: Scenario,
    images: dict[str, Image],
    names: Names,
    identity: Identity,
    *,
    budget: int,
    cpu_khz: int,
    versions: tuple[tuple[str, str], ...],
) -> Head:
    """Make the head of a run's trace, once it is booted."""
    return Head(
        scenario_name=scenario.name,
        scenario=scenario.text,
        arch=scenario.arch,
        budget=budget,
        model=identity.model,
        cpu_khz=cpu_khz,
        images={task.name: images[task.name] for task in scenario.tasks},
        objects=dict(names.objects),
        threads=dict(names.images),
        versions=versions,
        variation=identity.variation,
    )


def seal(rows: Iterable[Iterable[object]]) -> str:
    """Hash what a file has besides its chunks, so that damage to it is noticed."""
    digest = blake2b(digest_size=16)
    for row in rows:
        for value in row:
            data = value if isinstance(value, bytes) else repr(value).encode()
            digest.update(f"{type(value).__name__} {len(data)} ".encode() + data)
        digest.update(b"\n")
    return digest.hexdigest()
