"""Suppressions: findings that somebody has looked at and, for a reason, lives with.

Rule 1: a suppression hides nothing: what it suppresses stays in every report, marked.
Rule 2: which findings there are does not depend on them; they are judged after the run.

Patterns know ``*`` and ``?`` and nothing else, so that ``mr[1]`` means itself.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from guest.table import Table, did_you_mean, expected, quote
from guest.toml import read_toml
from kernel.utcb import MR_COUNT
from lab.checker.finding import Finding, Rule

FILE = "l4lab-suppressions.toml"
MAX_FILE = 256 << 10
MAX_PATTERN = 1024
_MAX_REASON = 4096
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Suppression:
    """What somebody lives with: patterns for a finding, and why."""

    key: str  # where it stands in its file
    rule: str
    thread: str
    function: str
    register: str
    reason: str
    expires: date | None  # the last day on which it holds

    def holds(self, today: date) -> bool:
        """Whether it has not expired."""
        return self.expires is None or today <= self.expires

    def covers(self, finding: Finding) -> bool:
        """Whether all of its patterns fit a finding."""
        return (
            fits(self.rule, finding.rule)
            and fits(self.thread, finding.thread)
            and fits(self.function, finding.function)
            and fits(self.register, finding.register)
        )


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Findings after suppressions were applied."""

    findings: tuple[Finding, ...]  # all of them; the suppressed ones have a reason
    unused: tuple[Suppression, ...]  # fit no finding
    expired: tuple[Suppression, ...]  # their day has passed, whether they fit or not


def find_suppressions(scenario: Path) -> Path | None:
    """Give the file of suppressions beside a scenario, None if there is none."""
    path = scenario.parent / FILE
    return path if os.path.lexists(path) else None


def load_suppressions(path: Path) -> tuple[Suppression, ...]:
    """Read a file of suppressions; raises GuestError for the first mistake in it."""
    _, content = read_toml(path, limit=MAX_FILE, what="file of suppressions")
    top = Table(str(path), "", content)
    tables = top.tables("suppress")
    top.finish()
    return tuple(_suppression(table) for table in tables)


def suppress(
    findings: Sequence[Finding], suppressions: Sequence[Suppression], *, today: date
) -> Suppressed:
    """Mark what is suppressed on the day `today`; the first suppression that fits counts."""
    valid = [s for s in suppressions if s.holds(today)]
    marked = tuple(_mark(finding, valid) for finding in findings)
    return Suppressed(
        findings=marked,
        unused=tuple(s for s in valid if not any(map(s.covers, findings))),
        expired=tuple(s for s in suppressions if not s.holds(today)),
    )


def fits(pattern: str, text: str) -> bool:
    """Answer whether a text fits a pattern of ``*`` and ``?``; an empty pattern fits all.

    The time is at most the product of the lengths, whatever the pattern.
    """
    if not pattern:
        return True
    at = mark = 0
    star = -1
    position = 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, mark = at, position
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[position]):
            at += 1
            position += 1
        elif star >= 0:
            # The last star takes one character more; those before it need not change.
            mark += 1
            position, at = mark, star + 1
        else:
            return False
    return not pattern[at:].strip("*")


def _mark(finding: Finding, suppressions: Sequence[Suppression]) -> Finding:
    for suppression in suppressions:
        if suppression.covers(finding):
            return replace(finding, suppressed=suppression.reason)
    return finding


def _suppression(table: Table) -> Suppression:
    rule, thread, function, register = (
        _pattern(table, key) for key in ("rule", "thread", "function", "register")
    )
    if table.has("word"):
        if register:
            raise table.error("word", "there is a register already: expected one of both")
        register = f"mr[{table.integer('word', None, low=0, high=MR_COUNT - 1)}]"
    table.take("word")
    reason = table.string("reason")
    if not reason.strip() or len(reason) > _MAX_REASON:
        raise table.error("reason", expected("some words on why this is no problem", reason))
    expires = _expires(table)
    table.finish()
    if not (rule or thread or function or register):
        raise table.error(None, "expected at least one of rule, thread, function, register")
    names = [name.value for name in Rule]
    if rule and not any(fits(rule, name) for name in names):
        hint = did_you_mean(rule, names)
        raise table.error("rule", f"no rule {quote(rule)}{hint}: see docs/rules.md")
    return Suppression(table.key, rule, thread, function, register, reason, expires)


def _pattern(table: Table, key: str) -> str:
    if not table.has(key):
        table.take(key)
        return ""
    pattern = table.string(key)
    if not 0 < len(pattern) <= MAX_PATTERN:
        raise table.error(key, expected(f"1 to {MAX_PATTERN} characters", pattern))
    return pattern


def _expires(table: Table) -> date | None:
    value = table.take("expires")
    if value is None or type(value) is date:
        return value
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:  # a day that no month has
        pass
    raise table.error("expires", expected("a date such as 2027-01-31", value))
