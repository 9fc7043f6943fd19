"""Expectations: what a scenario says should come of a run, held against what did."""

from collections.abc import Callable
from dataclasses import dataclass

from guest.scenario import Expect


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that was expected, and how it came."""

    what: str  # ``outcome``, ``console`` or ``memory client.result``
    expected: str
    actual: str

    @property
    def holds(self) -> bool:
        """Whether it came as expected."""
        return self.expected == self.actual


def check(
    expect: Expect, *, outcome: str, console: str, load_word: Callable[[str, str], int | None]
) -> tuple[Expectation, ...]:
    """Hold a finished run against `expect`; a key that is absent is not checked.

    `load_word` reads the word at a symbol of a task; None is a page that is gone.  Words are
    compared and shown as hex.
    """
    checks: list[Expectation] = []
    if expect.outcome is not None:
        checks.append(Expectation("outcome", expect.outcome.value, outcome))
    if expect.console is not None:
        checks.append(Expectation("console", expect.console, console))
    for (task, symbol), value in (expect.memory or {}).items():
        actual = load_word(task, symbol)
        shown = "not mapped" if actual is None else f"{actual:#x}"
        checks.append(Expectation(f"memory {task}.{symbol}", f"{value:#x}", shown))
    return tuple(checks)
