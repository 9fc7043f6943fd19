"""Findings as SARIF 2.1.0, the format in which checkers report to code-review tools.

The numbers in comments are sections of the OASIS standard of 28 August 2023 (SARIF 2.1.0
plus errata 01).

Levels: confirmed is an error, probable a warning, latent a note; a note of ours is
informational and has no level.  Suppressed findings are there, marked.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from lab.checker.finding import Access, Finding, Frame, Rule, Verdict
from lab.result import Run
from lab.views.rules import RULES, anchor
from lab.views.story import Step, tell

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
FINGERPRINT = "l4labFinding/v1"  # a change of how it is made needs a new number (3.27.17)
_BASE = "SRCROOT"
_LEVELS = {
    Verdict.CONFIRMED: ("fail", "error"),
    Verdict.PROBABLE: ("fail", "warning"),
    Verdict.LATENT: ("fail", "note"),
    Verdict.NOTE: ("informational", "none"),  # only a failure has a level (3.27.10)
}
_KINDS = {"call": ["call"], "message": ["message"], "copy": ["message"]}

Json = dict[str, Any]


def sarif_log(run: Run, *, root: PurePath, version: str, exit_code: int) -> Json:
    """Make the log of a run; files below `root` are named relative to it."""
    source = run.names.source_line
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(version)},
                "automationDetails": {
                    "id": f"l4lab/{run.scenario.name}/{run.scenario.arch.name}/"
                },
                "originalUriBaseIds": {
                    _BASE: {"description": _text("The folder that l4lab was called in.")}
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [_invocation(run, exit_code)],
                "results": [
                    result(finding, source=source, root=root) for finding in run.findings
                ],
                "properties": {
                    "scenario": run.scenario.name,
                    "arch": run.scenario.arch.name,
                    "outcome": run.outcome,
                    "traceHash": run.trace_hash,
                    "checked": run.checked,
                },
            }
        ],
    }


def result(finding: Finding, *, source: Callable[[str, int], str], root: PurePath) -> Json:
    """Make the result of a finding (3.27)."""
    places = _Places(source, root)
    kind, level = _LEVELS[finding.verdict]
    stacks = [(RULES[finding.rule].access.lower(), finding.access)]
    if finding.clobber is not None and finding.clobber.call is not None:
        stacks.append(("the system call that overwrote it", finding.clobber.call))
    steps = tell(finding)
    found: Json = {
        "ruleId": finding.rule.value,
        "ruleIndex": list(Rule).index(finding.rule),
        "kind": kind,
        "level": level,
        "message": _text(_message(finding)),
        "locations": [places.of_finding(finding)],
        "relatedLocations": [
            {"id": k, **places.of_step(step)} for k, step in enumerate(_related(steps), 1)
        ],
        "codeFlows": [
            {
                "message": _text("How the word was lost, in the order of execution."),
                "threadFlows": [
                    {
                        "id": finding.thread,
                        "locations": [
                            places.in_flow(step, order) for order, step in enumerate(steps, 1)
                        ],
                    }
                ],
            }
        ],
        "stacks": [places.stack(what, access) for what, access in stacks if access.stack],
        "suppressions": [],
        "partialFingerprints": {FINGERPRINT: fingerprint(finding)},
        "occurrenceCount": max(finding.count, 1),
        "properties": {
            "id": finding.id,
            "verdict": finding.verdict.value,
            "attribution": finding.attribution.value,
            "effect": finding.effect.value,
            "thread": finding.thread,
            "task": finding.task,
            "register": finding.register,
            "position": finding.access.position,
            "cycle": finding.access.cycle,
            "expected": None if finding.expected is None else hex(finding.expected),
            "actual": None if finding.actual is None else hex(finding.actual),
        },
    }
    if finding.suppressed:
        found["suppressions"] = [
            {
                "kind": "external",  # in a file of its own, not in the source (3.35.2)
                "status": "accepted",
                "justification": finding.suppressed,
            }
        ]
    return found


def fingerprint(finding: Finding) -> str:
    """Give what stays the same of a finding when code around it changes (3.27.17)."""
    identity = finding.identity or (
        finding.rule.value,
        finding.task,
        finding.function,
        finding.register,
    )
    return blake2b(json.dumps(identity).encode(), digest_size=16).hexdigest()


class _Places:
    """Makes locations (3.28) of accesses and frames."""

    def __init__(self, source: Callable[[str, int], str], root: PurePath) -> None:
        self._source = source
        self._root = root

    def of_finding(self, finding: Finding) -> Json:
        """Locate a finding where it is to be mended, which need not be where it reads."""
        at = Frame(
            finding.function, finding.function, finding.access.pc, finding.file, finding.line
        )
        for frame in finding.access.stack:
            if (frame.function, frame.file, frame.line) == (at.function, at.file, at.line):
                at = frame
                break
        return self._of_frame(at)

    def of_step(self, step: Step) -> Json:
        """Locate a step; one of the kernel has a description alone."""
        found: Json = {}
        if step.access is not None:
            found = self._of_access(step.access)
        found["message"] = _text(f"{step.text} (position {step.position})")
        return found

    def in_flow(self, step: Step, order: int) -> Json:
        """Make the step of a code flow (3.38)."""
        found: Json = {
            "location": self.of_step(step),
            "executionOrder": order,
            "importance": "essential" if step.kind in ("fault", "call") else "important",
            "properties": {"position": step.position, "step": step.kind},
        }
        if step.kind in _KINDS:
            found["kinds"] = _KINDS[step.kind]
        if step.access is not None and step.access.stack:
            found["nestingLevel"] = len(step.access.stack) - 1
        return found

    def stack(self, what: str, access: Access) -> Json:
        """Make a call stack, the innermost frame first (3.44.4)."""
        return {
            "message": _text(what),
            "frames": [{"location": self._of_frame(frame)} for frame in access.stack],
        }

    def _of_access(self, access: Access) -> Json:
        if access.stack:
            return self._of_frame(access.stack[0])
        return {"physicalLocation": {"address": {"absoluteAddress": access.pc}}}

    def _of_frame(self, frame: Frame) -> Json:
        physical: Json = {"address": {"absoluteAddress": frame.pc, "kind": "instruction"}}
        if frame.file:
            physical["artifactLocation"] = self._artifact(frame.file)
            if frame.line > 0:
                physical["region"] = {"startLine": frame.line}
                if text := self._source(frame.file, frame.line):
                    physical["region"]["snippet"] = {"text": text}
        found: Json = {"physicalLocation": physical}
        if frame.function:
            logical = {"fullyQualifiedName": frame.function, "kind": "function"}
            if frame.symbol:
                logical["decoratedName"] = frame.symbol
            found["logicalLocations"] = [logical]
        return found

    def _artifact(self, file: str) -> Json:
        # Below the root a relative reference, elsewhere an absolute one (3.4.3, 3.10.1).
        path = PurePath(file)
        if path.is_absolute():
            if not path.is_relative_to(self._root):
                return {"uri": "file://" + _uri(path.as_posix())}
            path = path.relative_to(self._root)
        return {"uri": _uri(path.as_posix()), "uriBaseId": _BASE}


def _driver(version: str) -> Json:
    return {
        "name": "l4lab",
        "version": version,
        "shortDescription": _text("Finds message words that were lost in the UTCB."),
        "rules": [_rule(rule) for rule in Rule],
    }


def _rule(rule: Rule) -> Json:
    words = RULES[rule]
    return {
        "id": rule.value,
        "name": "".join(part.capitalize() for part in rule.value.split("-")),
        "shortDescription": {"text": words.title},
        "fullDescription": {"text": words.help},
        "help": {
            "text": f"{words.help}  See {anchor(rule)}.",
            "markdown": f"{words.help}\n\nSee [{rule.value}]({anchor(rule)}).",
        },
        # No helpUri: it must be absolute (3.49.12), and this page comes with the program.
        "properties": {"documentation": anchor(rule)},
    }


def _invocation(run: Run, exit_code: int) -> Json:
    return {
        "executionSuccessful": True,
        "exitCode": exit_code,
        "toolExecutionNotifications": list(_notifications(run)),
    }


def _notifications(run: Run) -> Iterator[Json]:
    if not run.checked:
        yield _notification("note", "The checker did not watch this run.")
    for suppression in run.expired:
        on = "" if suppression.expires is None else f" on {suppression.expires.isoformat()}"
        yield _notification("warning", f"{suppression.key} expired{on}: {suppression.reason}")
    for suppression in run.unused:
        yield _notification(
            "warning", f"{suppression.key} fits no finding: {suppression.reason}"
        )


def _message(finding: Finding) -> str:
    parts = [finding.summary] + ([f"Cure: {finding.cure}"] if finding.cure else [])
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)


def _notification(level: str, text: str) -> Json:
    return {"level": level, "message": _text(text)}


def _related(steps: Iterable[Step]) -> list[Step]:
    return [step for step in steps if step.kind in ("message", "store", "call", "copy")]


def _text(text: str) -> Mapping[str, str]:
    # Braces are placeholders unless doubled (3.11.5); "[a](b)" would be a link (3.11.6).
    escaped = text.replace("{", "{{").replace("}", "}}").replace("](", "\\](")
    return {"text": escaped or "-"}


def _uri(path: str) -> str:
    # A colon in the first segment would make a scheme of it (RFC 3986, 4.2).
    return quote(path.encode("utf-8", "backslashreplace"), safe="/@!$&'()*+,;=~")
