"""Confirmation: the same run again with one thing changed, and what else it does then.

Rule 1: a twin begins as the run did and is the same up to the change.
Rule 2: what is compared is what others can see (`lab.replay.observe`), and at the end the
words that the scenario expects.
Rule 3: a twin gets at most twice the time that the run took from the change on; not to end
in it is a difference.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from zlib import decompress

from emu.timing import Timing
from guest.image import Image
from guest.scenario import Scenario
from kernel.events import Outcome
from kernel.freeze import thaw
from kernel.kernel import end, run
from kernel.variation import Change, OverrideRead, StoreBytes, Variation
from lab.checker.candidate import Candidate
from lab.checker.finding import Consequence, Effect, Rule
from lab.replay.midway import Midway, last_before, plan_stops, save_midway
from lab.replay.observe import Difference, Item, Observed, Observer, differences
from lab.replay.system import System, boot, configure
from lab.replay.varied import VariedMachine, find_utcbs

_MOST = 4  # consequences that are told
_PATTERNS = (0x11, 0x5A)  # two values of every poisoned byte


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run came out."""

    outcome: Outcome
    observed: Observed
    cycles: int
    memory: tuple[int | None, ...]  # the words that the scenario expects


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a confirmation."""

    effect: Effect
    consequences: tuple[Consequence, ...] = ()
    checks: tuple[tuple[str, str], ...] = ()


class Confirmer:
    """Runs twins of one run."""

    __slots__ = (
        "_baseline",
        "_booted",
        "_config",
        "_images",
        "_midways",
        "_name",
        "_places",
        "_scenario",
        "_stops",
        "budget",
    )

    def __init__(
        self,
        scenario: Scenario,
        images: dict[str, Image],
        places: tuple[tuple[str, int], ...],
        name: Callable[[int], str],
        budget: int,
        timing: Timing,
        cycles: Iterable[int] = (),
    ) -> None:
        """Prepare for candidates at `cycles`; others can be confirmed, too."""
        self._config = configure(scenario, timing=timing)
        self._scenario = scenario
        self._images = images
        self._places = places  # task and address of words to compare at the end
        self._name = name
        self.budget = budget  # cycles of the run
        self._baseline: Ended | None = None
        # How far a host has got with its calls is not in a midway.
        self._stops = plan_stops(cycles) if scenario.host is None else []
        self._midways: list[Midway] = []
        self._booted: System | None = None  # its names and numbers hold for all

    def confirm(self, candidate: Candidate, cycle: int) -> Tried:
        """Try out whether a candidate matters."""
        if candidate.rule is Rule.BEYOND_COUNT:
            return self._poison(candidate, cycle)
        if candidate.expected is None or candidate.is_intact:
            return Tried(Effect.UNKNOWN)
        if candidate.is_call:
            # It was entered by the instruction before.
            position, data = candidate.position - 1, candidate.expected
            change = StoreBytes(position, candidate.thread, candidate.offset, data)
            found = self._compare(candidate, (change,), cycle)
            if found:
                return self._tried(candidate, found, "what was set up")
            return Tried(Effect.NONE_SEEN)
        one = self._compare(candidate, (_override(candidate),), cycle)
        if one:
            return self._tried(candidate, one, "the delivered bytes for this read")
        # As if the call in between had put it back: for all reads that follow.
        kept = StoreBytes(
            candidate.position, candidate.thread, candidate.offset, candidate.expected
        )
        if not candidate.is_bulk:
            many = self._compare(candidate, (kept,), cycle)
            if many:
                return self._tried(candidate, many, "the word put back")
        return Tried(
            Effect.NONE_SEEN, checks=(("counterfactual", "nothing that others see changes"),)
        )

    def baseline(self) -> Ended:
        """Give the run itself, as far as it is observable."""
        if self._baseline is None:
            scenario = self._scenario
            observer = Observer(scenario.arch.word, 0)
            machine = VariedMachine(self._config)
            system = boot(scenario, self._images, recorder=observer, machine=machine)
            self._booted = system
            self._baseline = self._finish(system, observer, machine, self.budget, self._stops)
        return self._baseline

    def _poison(self, candidate: Candidate, cycle: int) -> Tried:
        twins = []
        for pattern in _PATTERNS:
            data = bytes(pattern + k % 3 for k in range(candidate.size))
            change = OverrideRead(candidate.position, candidate.thread, candidate.offset, data)
            twins.append(self._run((change,), candidate.position, self._limit(cycle)))
        first, second = twins
        complete = first.outcome is not Outcome.BUDGET and second.outcome is not Outcome.BUDGET
        found = differences(first.observed.items, second.observed.items, is_complete=complete)
        prints = bool(found)
        # Who only prints words that he did not get shows registers, as debuggers do.
        found = [each for each in found if not _is_print(each)]
        if not found and first.memory == second.memory:
            said = "differ in what is printed only" if prints else "no difference"
            return Tried(Effect.NONE_SEEN, checks=(("poison twins", said),))
        return Tried(
            Effect.OBSERVABLE,
            tuple(self._consequence(each) for each in found[:_MOST]),
            (("poison twins", "differ: the word is used"),),
        )

    def _compare(
        self, candidate: Candidate, variation: Variation, cycle: int
    ) -> list[Difference]:
        baseline = self.baseline()
        twin = self._run(variation, candidate.position, self._limit(cycle))
        ended = baseline.outcome is not Outcome.BUDGET
        found = differences(
            baseline.observed.since(candidate.position),
            twin.observed.items,
            is_complete=ended,
        )
        if candidate.is_bulk:
            # Who copies all registers may do so to show them.
            return [each for each in found if not _is_print(each)]
        if not found and ended and twin.memory != baseline.memory:
            found.append(Difference(candidate.thread, candidate.position, None, None))
        return found

    def _limit(self, cycle: int) -> int:
        rest = max(self.baseline().cycles - cycle, 1)
        return cycle + 2 * rest

    def _run(self, variation: Variation, start: int, until: int) -> Ended:
        scenario = self._scenario
        observer = Observer(scenario.arch.word, start)
        first = min(each.position for each in variation)
        midway = last_before(self._midways, first)
        booted = self._booted
        if midway is None or booted is None:
            machine = VariedMachine(self._config, variation)
            system = boot(scenario, self._images, recorder=observer, machine=machine)
        else:
            machine = VariedMachine.thaw(self._config, decompress(midway.machine))
            machine.vary(variation)
            kernel = thaw(decompress(midway.kernel), machine, recorder=observer)
            system = replace(booted, machine=machine, kernel=kernel)
        return self._finish(system, observer, machine, until)

    def _finish(
        self,
        system: System,
        observer: Observer,
        machine: VariedMachine,
        until: int,
        stops: Iterable[int] = (),
    ) -> Ended:
        """Run a system to its end, saving midways at stops, and close it."""
        find_utcbs(machine, system.kernel)
        observer.log = system.kernel.log.number
        try:
            outcome = Outcome.BUDGET
            for stop in stops:
                outcome = run(system.kernel, stop)
                if outcome is not Outcome.BUDGET:
                    break
                self._midways.append(save_midway(machine, system.kernel))
            if outcome is Outcome.BUDGET:
                outcome = run(system.kernel, until)
            end(system.kernel, outcome)
            memory = tuple(system.load_word(*place) for place in self._places)
            return Ended(outcome, observer.observed, system.machine.now, memory)
        finally:
            system.close()

    def _tried(self, candidate: Candidate, found: list[Difference], what: str) -> Tried:
        return Tried(
            Effect.OBSERVABLE,
            tuple(self._consequence(each) for each in found[:_MOST] if each.item or each.other),
            (("counterfactual", f"with {what} the run does something else"),),
        )

    def _consequence(self, each: Difference) -> Consequence:
        what, actual, expected = self._describe(each)
        return Consequence(what, each.position, actual, expected)

    def _describe(self, each: Difference) -> tuple[str, str, str]:
        item, other, name = each.item, each.other, self._name
        if item is None or other is None:
            present = item or other
            assert present is not None, "one of two is there"
            what = f"{name(each.thread)}: {_kind(present, name)}"
            return what, _content(item), _content(other)
        if item[0] != other[0] or item[1] != other[1]:
            return name(each.thread), _whole(item, name), _whole(other, name)
        if item[0] == "send" or item[0] == "invoke":
            for at, (a, b) in enumerate(zip(item[3], other[3], strict=False)):
                if a != b:
                    return f"{_kind(item, name)}, mr[{at}]", f"{a:#x}", f"{b:#x}"
            return f"{_kind(item, name)}, tag", f"{item[2]:#x}", f"{other[2]:#x}"
        return _kind(item, name), _content(item), _content(other)


def _override(candidate: Candidate) -> Change:
    assert candidate.expected is not None, "there is something to put there"
    return OverrideRead(
        candidate.position, candidate.thread, candidate.offset, candidate.expected
    )


def _is_print(each: Difference) -> bool:
    kinds = {item[0] for item in (each.item, each.other) if item is not None}
    return kinds == {"print"}


def _kind(item: Item, name: Callable[[int], str]) -> str:
    match item[0]:
        case "send":
            return f"message to {name(item[1])}"
        case "invoke":
            return f"call of {name(item[1])}"
        case "print":
            return "console"
        case "fail":
            return "failed system call"
        case _:
            return "fault"


def _content(item: Item | None) -> str:
    if item is None:
        return "nothing"
    if isinstance(item[3], bytes):
        return item[3].decode(errors="backslashreplace")
    return " ".join(f"{word:#x}" for word in item[3]) or f"{item[2]:#x}"


def _whole(item: Item, name: Callable[[int], str]) -> str:
    return f"{_kind(item, name)}: {_content(item)}"
