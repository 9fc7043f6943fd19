"""Judging: whether a run went wrong, and how.

The console is what all threads print, in an order that a schedule may change: it is judged
only if that is asked for.  That a finding is missing which the scenario expects is no
failure: it may need another schedule.
"""

from guest.image import Image
from guest.scenario import Scenario
from kernel.events import Exception_, Fault
from lab.checker.finding import Finding, Verdict
from lab.expect import compare
from lab.explore.job import Failure
from lab.names import Names
from lab.replay.examine import examine
from lab.replay.stage import Ran, Stage

_SHOWN = 200  # characters of a console that are compared at a place


class Judge:
    """Judges the runs of one stage.

    A run whose candidates were all seen together before, and then turned out to be a failure,
    is not examined again.
    """

    def __init__(
        self, stage: Stage, scenario: Scenario, images: dict[str, Image], *, console: bool
    ) -> None:
        self._stage = stage
        self._scenario = scenario
        self._images = images
        self._console = console
        self._known: dict[frozenset[tuple[object, ...]], tuple[Failure, ...]] = {}

    def failures(self, ran: Ran) -> tuple[Failure, ...]:
        """Tell what went wrong in a run that was the stage's last."""
        found: list[Failure] = []
        expect = self._scenario.expect
        names = self._stage.names
        outcome = ran.outcome.name.lower()
        wanted = "idle" if expect.outcome is None else expect.outcome.value
        if outcome != wanted:
            if outcome == "fault":
                found += (Failure("fault", _fault(fault, names)) for fault in ran.faults)
            else:
                found.append(Failure("outcome", f"{outcome}, expected {wanted}"))
        for (task, symbol), value in zip(self._stage.expectations(), ran.memory, strict=True):
            expected = (expect.memory or {})[task, symbol]
            if value != expected:
                shown = "not mapped" if value is None else f"{value:#x}"
                text = f"{task}.{symbol} is {shown}, expected {expected:#x}"
                found.append(Failure("memory", text))
        if self._console and expect.console is not None and ran.console != expect.console:
            found.append(Failure("console", repr(ran.console[:_SHOWN])))
        found += self._findings(ran)
        return tuple(dict.fromkeys(found))

    def _findings(self, ran: Ran) -> tuple[Failure, ...]:
        if not ran.candidates or isinstance(self._scenario.expect.findings, str):
            return ()
        key = frozenset((*each.key, each.is_intact) for each in ran.candidates)
        known = self._known.get(key)
        if known is not None:
            return known
        stage = self._stage
        findings = examine(
            list(ran.candidates),
            self._scenario,
            self._images,
            stage.names,
            budget=stage.budget,
            places=stage.places_of_words(),
            variation=ran.variation,
        )
        unexpected = compare(self._scenario.expect.findings or (), findings).unexpected
        failures = tuple(Failure("finding", _describe(each)) for each in unexpected)
        if failures:
            self._known[key] = failures
        return failures


def _describe(finding: Finding) -> str:
    verdict = finding.verdict
    assert verdict is not Verdict.NOTE, "notes are not compared"
    place = f" {finding.file.rsplit('/', 1)[-1]}:{finding.line}" if finding.file else ""
    where = f"{finding.function}{place}"
    return f"{finding.rule.value} of {finding.register} by {finding.thread} in {where}"


def _fault(fault: Fault | Exception_, names: Names) -> str:
    what = (
        f"page fault at {fault.address:#x}"
        if isinstance(fault, Fault)
        else f"exception {fault.vector}"
    )
    return f"{what} of {names.of(fault.thread)} at {names.place(fault.thread, fault.ip)}"
