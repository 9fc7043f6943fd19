"""The conformance table: the rules of the ABI, and the tests that check them.

Rules are in conformance.toml.  A test cites the sections whose rules it checks in the first
line of its docstring: ``ABI 4.9: ...``; further sections follow with a dot or behind "and":
``ABI 6.1, 6.2: ...``, ``ABI 6.7 and 13, 2: ...``; other numbers are points of a section.

``python -m tests.conformance`` writes docs/conformance.md, with ``--check`` it only says what
is wrong: with the rules, or with the file because it is out of date.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

HERE = Path(__file__).parent
RULES = HERE / "conformance.toml"
TABLE = HERE.parent / "docs" / "conformance.md"
SCENARIOS = HERE.parent / "guest" / "scenarios"

_CITED = re.compile(r"ABI (\d[^:]*):")
_SECTION = re.compile(r"(?:^|and )(\d+)(?![.\d])|(\d+\.\d+)")
_STATES = ("tests", "scenarios", "untested", "absent", "elsewhere")


@dataclass(frozen=True, slots=True)
class CitingTest:
    """A test that cites sections; `file` and `name` are without their test_."""

    folder: str
    file: str
    name: str
    sections: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """What a rule calls it."""
        return f"{self.file}/{self.name}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a section, with the patterns of its tests, or why there is none."""

    at: str
    says: str
    tests: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    untested: str = ""
    absent: str = ""
    elsewhere: str = ""


@dataclass(frozen=True, slots=True)
class Conformance:
    """All rules and tests; `sections` are the titles in the document's order."""

    sections: dict[str, str]
    rules: tuple[Rule, ...]
    tests: tuple[CitingTest, ...]
    scenarios: frozenset[str]


def load() -> Conformance:
    """Read the rules and look for tests."""
    content = tomllib.loads(RULES.read_text())
    rules = tuple(
        Rule(
            at=entry["at"],
            says=entry["says"],
            tests=tuple(entry.get("tests", ())),
            scenarios=tuple(entry.get("scenarios", ())),
            untested=entry.get("untested", ""),
            absent=entry.get("absent", ""),
            elsewhere=entry.get("elsewhere", ""),
        )
        for entry in content["rule"]
    )
    scenarios = frozenset(path.stem for path in SCENARIOS.glob("*.toml"))
    return Conformance(content["sections"], rules, find_tests(HERE), scenarios)


def find_tests(folder: Path) -> tuple[CitingTest, ...]:
    """Find the tests below `folder` that cite a section, in the order of files and lines."""
    found: list[CitingTest] = []
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                sections = cited_sections(ast.get_docstring(node) or "")
                if sections:
                    file, name = path.stem.removeprefix("test_"), node.name[5:]
                    found.append(CitingTest(path.parent.name, file, name, sections))
    return tuple(found)


def cited_sections(docstring: str) -> tuple[str, ...]:
    """Give the sections that the first line of a docstring cites."""
    match = _CITED.match(docstring)
    if match is None:
        return ()
    return tuple(plain or dotted for plain, dotted in _SECTION.findall(match[1]))


def complaints(all_of_it: Conformance) -> list[str]:
    """Say what does not fit together."""
    found: list[str] = []
    known = {rule.at for rule in all_of_it.rules}
    found += [
        f"ABI {section}: no rule, but {test.folder}/{test.pattern} cites it"
        for test in all_of_it.tests
        for section in test.sections
        if section not in known
    ]
    found += [
        f"ABI {section}: no rule" for section in all_of_it.sections if section not in known
    ]
    for rule in all_of_it.rules:
        what = f"ABI {rule.at}: {rule.says[:40]}..."
        if rule.at not in all_of_it.sections:
            found.append(f"{what}: no such section")
        given = [name for name in _STATES if getattr(rule, name)]
        if not given or (len(given) > 1 and not set(given) <= {"tests", "scenarios"}):
            found.append(
                f"{what}: expected tests or scenarios, else untested, absent or elsewhere"
            )
        for pattern in rule.tests:
            if not any(
                fnmatchcase(test.pattern, pattern) and rule.at in test.sections
                for test in all_of_it.tests
            ):
                found.append(f"{what}: no test {pattern} that cites it")
        found += [
            f"{what}: no scenario {name}"
            for name in rule.scenarios
            if name not in all_of_it.scenarios
        ]
    return found


def render(all_of_it: Conformance) -> str:
    """Write the document."""
    rules = all_of_it.rules
    absent = [rule for rule in rules if rule.absent]
    untested = [rule for rule in rules if rule.untested]
    elsewhere = [rule for rule in rules if rule.elsewhere]
    tested = len(rules) - len(absent) - len(untested) - len(elsewhere)
    lines = [
        "# Conformance",
        "",
        "<!-- Generated by `python -m tests.conformance` from tests/conformance.toml. -->",
        "",
        "What l4lab's kernel does of the binary interface of the L4Re microkernel (Fiasco),",
        "rule by rule, and the tests that check it: FILE/name stands for `test_name` in",
        "`test_FILE.py` below `tests/`, *scenario* names for what `l4lab run` takes.",
        "",
        f"{len(rules)} rules: {tested} implemented and tested, {len(untested)} implemented, "
        f"{len(absent)} not implemented,",
        f"{len(elsewhere)} not the kernel's to implement.",
        "",
        "| not implemented | what a guest gets |",
        "| --- | --- |",
        *(f"| {rule.at} {rule.says} | {rule.absent} |" for rule in absent),
    ]
    for section, title in all_of_it.sections.items():
        lines += ["", f"## {section} {title}", "", "| rule | state | checked by |"]
        lines.append("| --- | --- | --- |")
        here = [rule for rule in rules if rule.at == section]
        lines += [_row(rule, all_of_it.tests) for rule in here]
        others = [
            test
            for test in all_of_it.tests
            if section in test.sections
            and not any(fnmatchcase(test.pattern, p) for rule in here for p in rule.tests)
        ]
        if others:
            lines += ["", f"Also: {_names(others)}."]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> str:
    """Write the document, or check it; the message is empty if all is well."""
    if list(arguments) not in ([], ["--check"]):
        return "usage: python -m tests.conformance [--check]"
    all_of_it = load()
    wrong = complaints(all_of_it)
    if not wrong and arguments:
        current = TABLE.read_text() if TABLE.exists() else ""
        if current != render(all_of_it):
            wrong = ["docs/conformance.md is out of date: python -m tests.conformance"]
    elif not wrong:
        TABLE.write_text(render(all_of_it))
    return "\n".join(wrong)


def _row(rule: Rule, tests: Sequence[CitingTest]) -> str:
    if rule.absent:
        return f"| {rule.says} | not implemented | {rule.absent} |"
    if rule.untested:
        return f"| {rule.says} | implemented | {rule.untested} |"
    if rule.elsewhere:
        return f"| {rule.says} | not the kernel's | {rule.elsewhere} |"
    checking = [
        test
        for test in tests
        if rule.at in test.sections and any(fnmatchcase(test.pattern, p) for p in rule.tests)
    ]
    parts = [_names(checking)] if checking else []
    if rule.scenarios:
        parts.append("*scenario* " + ", ".join(rule.scenarios))
    return f"| {rule.says} | tested | {'; '.join(parts)} |"


def _names(tests: Sequence[CitingTest]) -> str:
    return ", ".join(test.pattern for test in tests)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or None)
