"""Scenarios as tests: a file is collected, and each of its architectures is one test."""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import pytest

from guest.errors import GuestError
from guest.scenario import MAX_FILE, load_scenario
from guest.toml import read_toml
from lab.result import Run, judge
from lab.run import run_scenario
from lab.suppress import find_suppressions, load_suppressions
from lab.testing.runs import Ran, Runs
from lab.views.result import WIDTH, render_result

RUNS = pytest.StashKey[Runs]()
PATTERN = "**/scenarios/*.toml"


class ScenarioFailed(Exception):
    """What came of a scenario is not what it expects."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.scenario.name)
        self.run = run

    def __str__(self) -> str:
        """Say which expectations do not hold."""
        run = self.run
        wrong = [each.what for each in run.expectations if not each.holds]
        if run.comparison is not None and not run.comparison.holds:
            wrong.append("findings")
        what = ", ".join(wrong) or f"outcome {run.outcome}"
        lines = render_result(run, quiet=True, width=WIDTH)
        head = f"{run.scenario.name} on {run.scenario.arch.name}, not as expected: {what}"
        return "\n".join([head, *(str(line) for line in lines)])


class ScenarioFile(pytest.File):
    """A file with a scenario."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give a test for each architecture; a broken file is one test that fails."""
        try:
            arches = [arch.name for arch in load_scenario(self.path).arches]
        except GuestError as error:
            yield BrokenItem.from_parent(self, name="scenario", error=error)
            return
        for arch in arches:
            yield ScenarioItem.from_parent(self, name=arch)


class ScenarioItem(pytest.Item):
    """A scenario on one architecture, whose name it has."""

    def runtest(self) -> None:
        """Run it, and hold what came of it against what it expects.

        Suppressions lie beside it, as for the command line, and expire as there.
        """
        file = find_suppressions(self.path)
        known = () if file is None else load_suppressions(file)
        scenario = load_scenario(self.path, arch=self.name)
        run = judge(run_scenario(scenario), suppressions=known, today=date.today())
        self.stash.setdefault(RUNS, Runs()).ran.append(Ran(scenario, None, run))
        if run.failed or not run.holds:
            raise ScenarioFailed(run)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str:
        """Say what does not hold, or what is wrong with the file; else where we failed."""
        if isinstance(excinfo.value, ScenarioFailed | GuestError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name the file and the architecture."""
        return self.path, None, f"{self.path.stem} on {self.name}"


class BrokenItem(ScenarioItem):
    """A scenario that cannot be loaded."""

    def __init__(self, *, error: GuestError, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.error = error

    def runtest(self) -> None:
        """Fail with what is wrong."""
        raise self.error


def is_scenario(path: Path, root: Path, patterns: Iterable[str]) -> bool:
    """Answer whether a file is to be collected: its place fits, and it has tasks.

    What cannot be read as TOML counts as a scenario, which then fails.
    """
    try:
        place = path.relative_to(root).as_posix()
    except ValueError:
        place = path.as_posix().lstrip("/")
    if not any(_translate(pattern).fullmatch(place) for pattern in patterns):
        return False
    try:
        return "task" in read_toml(path, limit=MAX_FILE, what="scenario")[1]
    except GuestError:
        return True


def _translate(pattern: str) -> re.Pattern[str]:
    # ** stands for any number of folders, * and ? for parts of a name.
    text = ""
    for part in re.split(r"(\*\*/|\*|\?)", pattern):
        text += {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
    return re.compile(text)
