"""Expectations: what a scenario says should come of a run, held against what did."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from guest.errors import GuestError
from guest.scenario import Expect
from guest.table import did_you_mean, quote
from lab.checker.finding import Attribution, Effect, Finding, Rule, Verdict

Item = Mapping[str, str | int]  # a finding that is expected: the keys it must have

_TEXTS = ("thread", "task", "register", "function", "file")
_NUMBERS = ("line", "offset", "size", "count")
_BYTES = ("expected", "actual", "pc")
_CLOSED: Mapping[str, tuple[str, ...]] = {
    "rule": tuple(rule.value for rule in Rule),
    # Notes take no part: to list one is a mistake.
    "verdict": tuple(v.value for v in Verdict if v is not Verdict.NOTE),
    "attribution": tuple(attribution.value for attribution in Attribution),
    "effect": tuple(effect.value for effect in Effect),
}
KEYS = (*_CLOSED, *_TEXTS, *_NUMBERS, *_BYTES)
_SHOWN = ("verdict", "rule", "thread", "register", "function", "file", "line")


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that was expected, and how it came."""

    what: str  # ``outcome``, ``console``, ``memory client.result`` or ``findings``
    expected: str
    actual: str

    @property
    def holds(self) -> bool:
        """Whether it came as expected."""
        return self.expected == self.actual


@dataclass(frozen=True, slots=True)
class Comparison:
    """The findings of a run held against those that were expected.

    `matched` pairs what was expected with what was found.
    """

    matched: tuple[tuple[Item, Finding], ...]
    missing: tuple[Item, ...]
    unexpected: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether the findings are those expected, each once."""
        return not self.missing and not self.unexpected

    def as_expectation(self) -> Expectation:
        """Give the comparison as two texts, a line for each finding."""
        shared = [describe_item(item) for item, _ in self.matched]
        expected = shared + [describe_item(item) for item in self.missing]
        actual = shared + [describe_item(as_item(finding)) for finding in self.unexpected]
        # Lines that happen to read the same must not hide a difference.
        same = not self.holds and sorted(expected) == sorted(actual)
        return Expectation(
            "findings",
            "\n".join(sorted(expected)),
            "\n".join(sorted(actual)) + ("\n" if same else ""),
        )


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


def check_items(expect: Expect, *, file: str) -> None:
    """Refuse what cannot match any finding: an unknown key, rule or verdict.

    Raises GuestError with the key of the scenario in `file`.
    """
    if expect.findings is None or isinstance(expect.findings, str):
        return
    for index, item in enumerate(expect.findings):
        for key, value in item.items():
            where = f"expect.findings[{index}].{key[:64]}"
            if key not in KEYS:
                hint = did_you_mean(key, KEYS)
                message = f"unknown key{hint}: expected one of {', '.join(KEYS)}"
                raise GuestError(message, file=file, key=where)
            if (wanted := _wanted(key, value)) is not None:
                shown = quote(value) if isinstance(value, str) else str(value)[:60]
                raise GuestError(f"expected {wanted}, found {shown}", file=file, key=where)


def compare(
    expected: Sequence[Item], findings: Sequence[Finding], *, strict: bool = False
) -> Comparison:
    """Match what is expected with what was found, one to one, in the best way there is.

    Confirmed and probable findings must be expected, latent ones may be, and with
    `strict` must; notes and suppressed findings take no part.  An item matches a finding
    that has all its keys, a latent one only if it asks for that verdict: what was a wrong
    value should not become right by luck unnoticed.
    """
    given = [f for f in findings if not f.suppressed and f.verdict is not Verdict.NOTE]
    must = [f for f in given if strict or f.verdict is not Verdict.LATENT]
    may = [f for f in given if not strict and f.verdict is Verdict.LATENT]
    pool = must + may
    fits = [[k for k, f in enumerate(pool) if matches(item, f)] for item in expected]
    of_item = _match(fits, len(must), len(pool))
    taken = set(of_item.values())
    return Comparison(
        matched=tuple(
            (item, pool[of_item[k]]) for k, item in enumerate(expected) if k in of_item
        ),
        missing=tuple(item for k, item in enumerate(expected) if k not in of_item),
        unexpected=tuple(f for k, f in enumerate(must) if k not in taken),
    )


def matches(item: Item, finding: Finding) -> bool:
    """Answer whether a finding has all the keys that an item gives."""
    return not differing(item, finding)


def differing(item: Item, finding: Finding) -> list[str]:
    """Name the keys of `item` in which a finding differs."""
    keys = [key for key, value in item.items() if not _has(finding, key, value)]
    if finding.verdict is Verdict.LATENT and "verdict" not in item:
        keys.append("verdict")
    return keys


def as_item(finding: Finding) -> Item:
    """Give what a scenario would list to expect this finding and hardly another."""
    item = {key: value for key in _SHOWN if (value := getattr(finding, key))}
    if "file" in item:
        item["file"] = finding.file.rsplit("/", 1)[-1]
    return item


def describe_item(item: Item) -> str:
    """Write an item as the inline table of a scenario."""
    ordered = [key for key in KEYS if key in item]
    parts = [
        f'{key} = "{value}"' if isinstance(value := item[key], str) else f"{key} = {value}"
        for key in ordered
    ]
    return "{ " + ", ".join(parts) + " }" if parts else "{}"


def _has(finding: Finding, key: str, value: str | int) -> bool:
    if key not in KEYS:
        return False
    actual = finding.access.pc if key == "pc" else getattr(finding, key)
    if key == "file" and isinstance(value, str):
        # As much of the path as the scenario cares for.
        return f"/{actual}".endswith(f"/{value.lstrip('/')}") and bool(value)
    if key in _BYTES and isinstance(value, str):
        return actual is not None and _number(value) == actual
    return bool(actual == value)


def _wanted(key: str, value: str | int) -> str | None:
    """Say what a key's value should be if it is something else."""
    if key in _CLOSED:
        known = _CLOSED[key]
        return None if value in known else f"one of {', '.join(known)}"
    if key in _TEXTS:
        return None if isinstance(value, str) else "a string"
    if key in _NUMBERS:
        return None if isinstance(value, int) else "a number"
    return None if isinstance(value, int) or _number(value) is not None else "a number or hex"


def _number(text: str) -> int | None:
    try:
        return int(text, 16) if len(text) <= 200 else None
    except ValueError:
        return None


def _match(fits: Sequence[Sequence[int]], must: int, total: int) -> dict[int, int]:
    """Give a matching of items to findings that leaves as few as possible of either alone.

    Findings below `must` come first: augmenting paths never free what they have matched,
    so that first as many of them as possible are matched, then as many items.
    """
    items_of: list[list[int]] = [[] for _ in range(total)]
    for item, findings in enumerate(fits):
        for finding in findings:
            items_of[finding].append(item)
    of_item: dict[int, int] = {}
    of_finding: dict[int, int] = {}
    spent: set[int] = set()
    for finding in range(must):
        _augment(finding, items_of, of_finding, of_item, spent)
    spent = set()
    for item in range(len(fits)):
        if item not in of_item:
            _augment(item, fits, of_item, of_finding, spent)
    return of_item


def _augment(
    start: int,
    edges: Sequence[Sequence[int]],
    here: dict[int, int],
    there: dict[int, int],
    spent: set[int],
) -> None:
    # Breadth first along alternating paths (Berge); what a failed search has seen leads
    # nowhere in any later one either, which `spent` remembers.
    came: dict[int, int] = {}
    queue = [start]
    for node in queue:
        for other in edges[node]:
            if other in came or other in spent:
                continue
            came[other] = node
            if other not in there:
                _flip(start, other, came, here, there)
                return
            queue.append(there[other])
    spent.update(came)


def _flip(
    start: int, other: int, came: Mapping[int, int], here: dict[int, int], there: dict[int, int]
) -> None:
    while True:
        node = came[other]
        following = here.get(node)
        here[node], there[other] = other, node
        if node == start or following is None:
            return
        other = following
