"""What came of a run, as a value; it knows nothing of the machine that made it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from guest.scenario import Scenario
from kernel.events import Event, Exception_, Fault, Refused, Remark
from lab.checker.finding import Finding
from lab.expect import Comparison, Expectation, compare
from lab.names import Names
from lab.suppress import Suppression, suppress


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run."""

    scenario: Scenario
    engine: str
    cpu: str  # what code costs cycles on
    model: str  # what further terms its time has
    outcome: str  # idle, budget or fault
    console: str
    cycles: int
    instructions: int
    messages: int  # completed transfers into a thread
    invocations: int  # of kernel objects
    expectations: tuple[Expectation, ...]
    unchecked: tuple[str, ...]  # expectations that were not looked at
    faults: tuple[Fault | Exception_, ...]
    refused: tuple[Refused, ...]  # the first of them
    refusals: int
    trace_hash: str
    last: tuple[Event, ...]  # the last few events
    names: Names
    checked: bool = False  # the checker watched it
    findings: tuple[Finding, ...] = ()
    dropped: int = 0  # what the checker noticed and had no room to look at
    comparison: Comparison | None = None  # None: not checked, or any findings will do
    unused: tuple[Suppression, ...] = ()  # suppressions that fit no finding
    expired: tuple[Suppression, ...] = ()
    remarks: tuple[Remark, ...] = ()  # the first of what guests told the kernel's debugger
    remarked: int = 0

    @property
    def holds(self) -> bool:
        """Whether every expectation holds, and the findings are those expected."""
        found = self.comparison is None or self.comparison.holds
        return found and all(expectation.holds for expectation in self.expectations)

    @property
    def failed(self) -> bool:
        """Whether a guest failed, by a fault or its budget, and nobody expected it."""
        wanted = self.scenario.expect.outcome
        return self.outcome != "idle" and (wanted is None or wanted.value != self.outcome)


def judge(
    run: Run,
    *,
    suppressions: Sequence[Suppression] = (),
    today: date | None = None,
    strict: bool = False,
) -> Run:
    """Mark what is suppressed and hold the rest against what the scenario expects.

    `today` must be given with suppressions, of which some may expire.  With `strict` a
    latent finding counts like a probable one.
    """
    if not run.checked:
        return run
    if suppressions:
        assert today is not None
        done = suppress(run.findings, suppressions, today=today)
        run = replace(run, findings=done.findings, unused=done.unused, expired=done.expired)
    expected = run.scenario.expect.findings
    return replace(
        run,
        unchecked=tuple(what for what in run.unchecked if what != "findings"),
        comparison=None
        if isinstance(expected, str)  # "any"
        else compare(expected or (), run.findings, strict=strict),
    )
