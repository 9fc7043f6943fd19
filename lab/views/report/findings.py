"""Findings as a report shows them.

They come out of a file, where nothing is sure: what leaves here has exactly the fields that
the page reads, each of the type that it expects.
"""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from lab.checker.finding import Rule
from lab.views.rules import RULES
from lab.views.text import printable

Shape: TypeAlias = "type | dict[str, Shape] | list[Shape]"

_MOST_FINDINGS = 500
_MOST_PARTS = 64  # of a list
_LONGEST = 2000  # characters
_LARGEST = (1 << 63) - 1

_FRAME: Shape = {"function": str, "pc": str, "file": str, "line": int, "inlined": bool}
_ACCESS: Shape = {
    "position": int,
    "cycle": int,
    "pc": str,
    "instruction": str,
    "stack": [_FRAME],
}
_MESSAGE: Shape = {
    "id": str,
    "sender": str,
    "receiver": str,
    "via": str,
    "label": str,
    "words": [str],
    "items": int,
    "born": int,
    "owner": str,
    "died": int,
}
_FINDING: Shape = {
    "id": str,
    "rule": str,
    "verdict": str,
    "attribution": str,
    "effect": str,
    "summary": str,
    "thread": str,
    "register": str,
    "function": str,
    "file": str,
    "line": int,
    "position": int,
    "expected": str,
    "actual": str,
    "count": int,
    "access": _ACCESS,
    "message": _MESSAGE,
    "clobber": {"message": _MESSAGE, "stores": [_ACCESS], "delivery": int, "call": _ACCESS},
    "words": [
        {
            "register": str,
            "delivered": str,
            "now": str,
            "writer": str,
            "state": str,
            "here": bool,
        }
    ],
    "consequences": [{"what": str, "position": int, "actual": str, "expected": str}],
    "checks": [{"what": str, "result": str}],
    "cure": str,
    "suppressed": str,
}

Source = Callable[[str, int], str]  # a line of a file, empty if it is not known


def read_findings(bodies: tuple[str, ...], source: Source) -> list[dict[str, Any]]:
    """Read findings, with the lines of source that they speak of and their rules in words."""
    found = []
    for body in bodies[:_MOST_FINDINGS]:
        finding = _fit(json.loads(body), _FINDING)
        _add_source(finding, source)
        finding["file"] = finding["file"].rsplit("/", 1)[-1]
        rule = next((RULES[rule] for rule in Rule if rule.value == finding["rule"]), None)
        finding["title"] = "" if rule is None else rule.title
        finding["help"] = "" if rule is None else rule.help
        found.append(finding)
    return found


def overwritten_at(finding: dict[str, Any]) -> int | None:
    """Give the position where the word at fault was overwritten first, if it is known."""
    clobber = finding["clobber"]
    if clobber is None:
        return None
    stores = [store["position"] for store in clobber["stores"]]
    positions = [at for at in (clobber["delivery"], *stores) if at is not None]
    return min(positions, default=None)


def points_of(findings: list[dict[str, Any]]) -> list[int]:
    """List the positions that findings are about, the most important first."""
    reads = [finding["position"] for finding in findings]
    lost = [overwritten_at(finding) for finding in findings]
    born = [finding["message"]["born"] for finding in findings if finding["message"]]
    return [at for at in (*reads, *lost, *born) if at is not None]


def _fit(value: Any, shape: Shape) -> Any:
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return None
        return {key: _fit(value.get(key), part) for key, part in shape.items()}
    if isinstance(shape, list):
        parts = value[:_MOST_PARTS] if isinstance(value, list) else []
        fitted = (_fit(part, shape[0]) for part in parts)
        return [part for part in fitted if part is not None]
    if shape is str:
        return printable(value[:_LONGEST]) if isinstance(value, str) else ""
    if shape is bool:
        return value is True
    return value if type(value) is int and 0 <= value <= _LARGEST else None


def _add_source(value: Any, source: Source) -> None:
    # Every frame of every stack, wherever it is.
    if isinstance(value, list):
        for part in value:
            _add_source(part, source)
    elif isinstance(value, dict):
        if "inlined" in value:
            value["source"] = printable(source(value["file"], value["line"] or 0)[:_LONGEST])
            value["file"] = value["file"].rsplit("/", 1)[-1]
        for part in value.values():
            _add_source(part, source)
