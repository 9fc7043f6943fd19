"""A job: everything that a worker has to know to run units of an exploration, as one value."""

import hashlib
from dataclasses import dataclass, field
from enum import Enum

from guest.image import Image
from guest.scenario import Scenario
from kernel.variation import Choose, Points

USUAL = Points()

Choices = tuple[Choose, ...]  # those that are not the usual ones, in their order


class Preempt(Enum):
    """Where a time slice may end."""

    SYSCALLS = "syscalls"  # whenever the kernel is left
    SHARED = "shared"  # and before blocks that touch memory which others touch
    CYCLES = "cycles"  # and every so many cycles of a program's code


class Mode(Enum):
    """How choices are made."""

    SYSTEMATIC = "systematic"
    RANDOM = "random"
    PCT = "pct"


@dataclass(frozen=True, slots=True)
class Settings:
    """What distinguishes one exploration of a scenario from another."""

    mode: Mode = Mode.SYSTEMATIC
    preempt: Preempt = Preempt.SYSCALLS
    points: Points = USUAL
    bound: int = 2  # choices in a run that are not the usual ones; systematic only
    seed: int = 0
    depth: int = 3  # of PCT
    prunes: bool = True
    check: bool = True  # the use of UTCBs
    console: bool = False  # what the console says is judged, too


@dataclass(frozen=True, slots=True)
class Job:
    """One exploration."""

    scenario: Scenario
    images: dict[str, Image] = field(repr=False)
    budget: int
    settings: Settings

    @property
    def digest(self) -> str:
        """Give a hash of all that results depend on."""
        digest = hashlib.sha256(self.scenario.text.encode())
        digest.update(self.scenario.arch.name.encode())
        for name, image in sorted(self.images.items()):
            digest.update(f"{name} {image.digest}\n".encode())
        digest.update(f"{self.budget} {self.settings}".encode())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Unit:
    """Work for one worker: runs with these choices, or with numbers of a seed.

    `places` are where slices may end in code, with `Preempt.SHARED`; `steps` is what PCT takes
    for the number of places in a run, and 0 while that is being found out.
    """

    choices: tuple[Choices, ...] = ()
    numbers: range = range(0)
    places: frozenset[tuple[int, int]] = frozenset()
    steps: int = 0

    @property
    def count(self) -> int:
        """Give the number of runs."""
        return len(self.choices) + len(self.numbers)


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that went wrong in a run, as others can have it as well."""

    kind: str  # finding, memory, outcome, fault, console
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """What came of one run."""

    choices: Choices
    failures: tuple[Failure, ...]
    following: tuple[Choices, ...]  # runs that this one asks for
    asked: int  # choices that it had
    behaviour: str
    places: tuple[tuple[int, int], ...]  # blocks that touch shared memory


@dataclass(frozen=True, slots=True)
class UnitResult:
    """What came of a unit, in its order, and what code has been run, by task."""

    records: tuple[Record, ...]
    covered: dict[str, frozenset[int]]


def default_points(preempt: Preempt, cycles: int, window: int, *, overrules: bool) -> Points:
    """Give the choice points of a way to preempt."""
    grain = {Preempt.SYSCALLS: 0, Preempt.SHARED: 1, Preempt.CYCLES: cycles}[preempt]
    return Points(grain, window, overrules)
