"""The page of a report: one HTML file that loads nothing.

Rule 1: what comes from a run is in one block of JSON in which no character can end it; the
script makes texts of it, never markup.
Rule 2: a policy in the page forbids the browser every request, and every script but ours.
"""

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

# What could end the block, or a line of a script where a browser takes it for one.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_page(report: dict[str, Any]) -> str:
    """Make the page of what `report_of` collected."""
    style, script = _asset("report.css"), _asset("report.js")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    parts = {
        "title": escape(report["title"]),
        "policy": _POLICY + f"; script-src 'sha256-{digest}'",
        "style": style,
        "findings": _list(report),
        "data": json.dumps(report, separators=(",", ":")).translate(_ESCAPES),
        "script": script,
    }
    page = []
    # By pieces: nothing that is put in is looked at again.
    for piece in _asset("report.html").split("{{"):
        name, brace, rest = piece.partition("}}")
        page.append(parts[name] + rest if brace else piece)
    return "".join(page)


def _list(report: dict[str, Any]) -> str:
    """Write the findings down for a browser that runs no script."""
    found = [
        f"{each['id']} {each['verdict']}: {each['summary']}" for each in report["findings"]
    ]
    return "".join(f"<li>{escape(line)}</li>" for line in found)


def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
