"""Findings of a trace by their ids."""

import json
from typing import Any

from guest.errors import GuestError
from lab.trace.reader import Trace


def find_finding(trace: Trace, finding: str) -> dict[str, Any]:
    """Give a finding of a trace by its id; GuestError if there is none."""
    known = {}
    for text in trace.findings:
        body: dict[str, Any] = json.loads(text)
        known[body.get("id")] = body
    found = known.get(finding.upper())
    if found is None:
        ids = ", ".join([each for each in known if isinstance(each, str)][:20])
        there = f"this run has {ids}" if ids else "this run has none"
        raise GuestError(f"no finding {finding[:40]!r}: {there}", file=str(trace.path))
    return found
