"""What came of a run, as a value; it knows nothing of the machine that made it."""

from dataclasses import dataclass

from guest.scenario import Scenario
from kernel.events import Event, Exception_, Fault, Refused
from lab.checker.finding import Finding
from lab.expect import Expectation
from lab.names import Names


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run."""

    scenario: Scenario
    engine: str
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
    findings: tuple[Finding, ...] = ()
    checked: bool = False  # for misuse of UTCBs
    dropped: int = 0  # candidates that there was no room for

    @property
    def holds(self) -> bool:
        """Whether every expectation holds."""
        return all(expectation.holds for expectation in self.expectations)

    @property
    def failed(self) -> bool:
        """Whether a guest failed, by a fault or its budget, and nobody expected it."""
        wanted = self.scenario.expect.outcome
        return self.outcome != "idle" and (wanted is None or wanted.value != self.outcome)
