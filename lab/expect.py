"""Expectations: what a scenario says should come of a run, held against what did."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from guest.errors import GuestError
from guest.scenario import Expect
from lab.checker.finding import Finding, Verdict


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


# What an expected finding may say.
KEYS = (
    "rule",
    "verdict",
    "thread",
    "task",
    "register",
    "function",
    "file",
    "line",
    "pc",
    "expected",
    "actual",
    "count",
)
_COUNTED = (Verdict.CONFIRMED, Verdict.PROBABLE)


def check_keys(expect: Expect, *, file: str) -> None:
    """Refuse expected findings that say what no finding has."""
    if isinstance(expect.findings, tuple):
        for index, item in enumerate(expect.findings):
            for key in item:
                if key not in KEYS:
                    raise GuestError(
                        f"no finding has {key!r}, only {', '.join(KEYS)}",
                        file=file,
                        key=f"expect.findings[{index}].{key}",
                    )


def check_findings(
    expect: Expect, findings: Sequence[Finding], *, strict: bool = False
) -> tuple[Expectation, ...]:
    """Hold findings against `expect`; each must be used up by one item that matches.

    Confirmed and probable ones count, latent ones only if an item asks for that verdict or
    with `strict`, notes only if an item asks for one.
    """
    if expect.findings == "any":
        return ()
    wanted = expect.findings if isinstance(expect.findings, tuple) else ()
    must = [each for each in findings if _counts(each, strict=strict)]
    may = [each for each in findings if not _counts(each, strict=strict)]
    pool = [*must, *may]
    users = _match(wanted, pool)
    lines = [_render(item) for item in wanted]
    found = [
        _render(wanted[users[at]]) if at in users else describe(finding)
        for at, finding in enumerate(pool)
        if at in users or at < len(must)
    ]
    return (Expectation("findings", "\n".join(sorted(lines)), "\n".join(sorted(found))),)


def describe(finding: Finding) -> str:
    """Say what a finding is, in the words of an expectation."""
    keys = ("rule", "verdict", "thread", "register", "function")
    return _render({key: str(getattr(finding, key)) for key in keys})


def _counts(finding: Finding, *, strict: bool) -> bool:
    return finding.verdict in _COUNTED or (strict and finding.verdict is Verdict.LATENT)


def _match(
    wanted: Sequence[Mapping[str, str | int]], pool: Sequence[Finding]
) -> dict[int, int]:
    """Give each finding at most one item, so that as many as can be are used."""
    users: dict[int, int] = {}

    def place(item: int, seen: set[int]) -> bool:
        for at, finding in enumerate(pool):
            if at not in seen and _matches(wanted[item], finding):
                seen.add(at)
                if at not in users or place(users[at], seen):
                    users[at] = item
                    return True
        return False

    for item in range(len(wanted)):
        place(item, set())
    return users


def _matches(item: Mapping[str, str | int], finding: Finding) -> bool:
    if finding.verdict not in _COUNTED and item.get("verdict") != finding.verdict.value:
        return False
    return all(_equal(key, value, finding) for key, value in item.items())


def _equal(key: str, value: str | int, finding: Finding) -> bool:
    actual = finding.access.pc if key == "pc" else getattr(finding, key)
    if key == "file" and isinstance(value, str):
        return actual == value or str(actual).endswith(f"/{value}")
    if isinstance(value, str) and isinstance(actual, int):
        return f"{actual:#x}" == value
    return bool(actual == value)


def _render(item: Mapping[str, str | int]) -> str:
    return ", ".join(f"{key} {item[key]}" for key in KEYS if key in item)
