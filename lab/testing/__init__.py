"""The pytest plugin: guests under test, and why a test of them failed.

Opt in with ``pytest_plugins = ["lab.testing"]`` in the conftest.py of the root, or with
``-p lab.testing``.  It collects scenarios, and gives the fixtures `lab`, `run_scenario` and
`golden` and the marker `expect_finding`: docs/testing.md.

Rule 1: budgets are cycles; no test depends on how fast the machine is.
Rule 2: nothing is shared between tests, so that they run in any order and process.
"""

from collections.abc import Generator, Mapping, Sequence
from os.path import normpath
from pathlib import Path
from typing import Protocol

import pytest

from emu.timing import Timing
from guest.errors import GuestError
from guest.scenario import Expect, Scenario, load_scenario, with_images
from kernel.errors import UsageError
from lab import run as running
from lab.checker.finding import Finding
from lab.expect import Comparison, check_items
from lab.expect import compare as compare_findings
from lab.messages import Message, Messages
from lab.observables import first_difference, observe
from lab.replay.system import DEFAULT_TIMING
from lab.result import Run
from lab.session import CallFailed, NoAnswer, Session, boot
from lab.testing import golden as files
from lab.testing.runs import Ran, Runs, describe, record, repeat_command
from lab.testing.scenarios import PATTERN, RUNS, ScenarioFile, is_scenario
from lab.views.findings import render_comparison
from lab.views.result import WIDTH

__all__ = ["Finding", "Golden", "Lab", "Message", "Run", "RunScenario", "Session"]

_PACKAGES = ("emu", "guest", "kernel", "lab")
_MARKER = "expect_finding"
_FOLDER = "l4lab-artifacts"
_GOLDEN = "l4lab.golden"  # property: a golden file that was written


class RunScenario(Protocol):
    """What the `run_scenario` fixture is."""

    def __call__(
        self,
        scenario: Scenario | str | Path,
        *,
        arch: str | None = None,
        cycles: int | None = None,
        timing: Timing = DEFAULT_TIMING,
        images: Mapping[str, str | Path] | None = None,
    ) -> Run:
        """Run a scenario to its end; see `lab.run.run_scenario`.

        A path is looked for beside the test first; `images` replaces programs of tasks.
        """


class Golden(Protocol):
    """What the `golden` fixture is."""

    def __call__(
        self,
        what: Run | Session | Sequence[Message],
        *,
        name: str | None = None,
        threads: Sequence[str] | None = None,
    ) -> None:
        """Compare messages with those of a file beside the test, in the folder golden.

        The file has the name of the test, or `name`.  With `threads`, only messages from
        or to these are compared.
        """


class Lab:
    """What the `lab` fixture is: sessions of one test, of which the last is talked to."""

    def __init__(self, runs: Runs, folder: Path) -> None:
        self._runs = runs
        self._folder = folder
        self._sessions: list[Session] = []

    def boot(
        self,
        scenario: Scenario | str | Path,
        *,
        arch: str | None = None,
        cycles: int | None = None,
        images: Mapping[str, str | Path] | None = None,
    ) -> Session:
        """Boot a scenario; a path is looked for beside the test first.

        `cycles` replaces its budget, `images` programs of its tasks.
        """
        loaded = _load(scenario, self._folder, arch=arch, images=images)
        session = boot(loaded, cycles=cycles)
        self._sessions.append(session)
        self._runs.ran.append(Ran(loaded, cycles, session=session))
        return session

    def call(
        self, gate: str, *words: int, label: int = 0, timeout_us: int | None = None
    ) -> Message:
        """Call the server behind a gate, and give its answer: `lab.session.Session.call`."""
        return self.session.call(gate, *words, label=label, timeout_us=timeout_us)

    def send(
        self, gate: str, *words: int, label: int = 0, timeout_us: int | None = None
    ) -> None:
        """Send to the thread behind a gate, and wait until it has the message."""
        self.session.send(gate, *words, label=label, timeout_us=timeout_us)

    def trigger(self, name: str) -> None:
        """Trigger an interrupt of the scenario, or put one more into a semaphore."""
        self.session.trigger(name)

    def sleep(self, microseconds: int) -> None:
        """Let the others run for so long."""
        self.session.sleep(microseconds)

    def run(self) -> Run:
        """Let the others run until nothing can, and give what came of it all."""
        return self.session.finish()

    def memory(self, where: str) -> int:
        """Read the word at TASK.SYMBOL or TASK.ADDRESS as it is now."""
        return self.session.memory(where)

    @property
    def session(self) -> Session:
        """The session that was booted last."""
        if not self._sessions:
            raise UsageError("nothing is booted: call lab.boot() first")
        return self._sessions[-1]

    @property
    def findings(self) -> list[Finding]:
        """What the checker found; this ends the run."""
        return list(self.session.findings)

    @property
    def messages(self) -> list[Message]:
        """All messages so far, in order."""
        return list(self.session.messages)

    @property
    def console(self) -> str:
        """What guests have written to the log so far."""
        return self.session.console

    def assert_same_observables(
        self,
        one: Scenario | Session | str | Path,
        other: Scenario | Session | str | Path,
        *,
        threads: Sequence[str] | None = None,
        arch: str | None = None,
    ) -> None:
        """Fail unless two scenarios, or sessions with their calls, do the same.

        That is, by thread and in order: what is sent, asked of kernel objects and printed,
        but not when.  With `threads` only what these do is compared.
        """
        seen = []
        for each in (one, other):
            if isinstance(each, Session):
                each.finish()
                seen.append(observe(each.repeatable(), cycles=each.cycles))
            else:
                seen.append(observe(_load(each, self._folder, arch=arch, images=None)))
        difference = first_difference(seen[0], seen[1], threads)
        if difference:
            raise AssertionError(f"the runs do not do the same: {difference}")

    def close(self) -> None:
        """Give the memory of all sessions back."""
        for session in self._sessions:
            session.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which options there are."""
    group = parser.getgroup("l4lab", "guests under test")
    group.addoption(
        "--update-golden",
        action="store_true",
        help="write golden files with the messages of this run",
    )
    group.addoption(
        "--l4lab-artifacts",
        metavar="DIR",
        help=f"put traces of failing tests here (default: {_FOLDER})",
    )
    parser.addini(
        "l4lab_scenarios",
        "patterns of the scenarios to collect, from the root",
        type="args",
        default=[PATTERN],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say which markers there are."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(rule, **keys): a finding that the run of this test must have, and no "
        'other; keys as in a scenario\'s expect.findings, rule "any" accepts whatever comes.',
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collect scenarios."""
    if file_path.suffix != ".toml":
        return None
    patterns = parent.config.getini("l4lab_scenarios")
    if not is_scenario(file_path, parent.config.rootpath, patterns):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


@pytest.fixture
def run_scenario(request: pytest.FixtureRequest) -> RunScenario:
    """Run scenarios, and remember them for the report of a failing test."""
    runs = request.node.stash.setdefault(RUNS, Runs())

    def run(
        scenario: Scenario | str | Path,
        *,
        arch: str | None = None,
        cycles: int | None = None,
        timing: Timing = DEFAULT_TIMING,
        images: Mapping[str, str | Path] | None = None,
    ) -> Run:
        loaded = _load(scenario, request.path.parent, arch=arch, images=images)
        messages = Messages()
        done = running.run_scenario(
            loaded, cycles=cycles, timing=timing, listener=messages.listen
        )
        runs.ran.append(Ran(loaded, cycles, done, messages.found, timing=timing))
        return done

    return run


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Generator[Lab, None, None]:
    """Boot scenarios and call their servers from the test, as a client would.

    When the test is over, what the checker found must be what `expect_finding` says, by
    default nothing, unless the test has looked at the findings itself.
    """
    found = Lab(request.node.stash.setdefault(RUNS, Runs()), request.path.parent)
    yield found
    found.close()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare messages with a golden file; ``--update-golden`` writes it."""
    runs = request.node.stash.setdefault(RUNS, Runs())

    def check(
        what: Run | Session | Sequence[Message],
        *,
        name: str | None = None,
        threads: Sequence[str] | None = None,
    ) -> None:
        path = files.golden_path(request.path, request.node.name if name is None else name)
        messages = _messages(what, runs)
        if threads is not None:
            messages = [m for m in messages if {m.sender, m.receiver} & set(threads)]
        if not request.config.getoption("update_golden"):
            files.compare(messages, path)
        elif files.update(messages, path):
            request.node.user_properties.append((_GOLDEN, str(path)))

    return check


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge the findings of a test that has passed so far."""
    try:
        result = yield
    except (GuestError, UsageError, CallFailed, NoAnswer) as error:
        _cut(error)
        raise
    runs = item.stash.get(RUNS, None)
    try:
        expected = _expected(item)
    except (GuestError, UsageError) as error:
        pytest.fail(str(error), pytrace=False)
    if runs is not None and not isinstance(expected, str):
        _judge(runs, expected)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what is known of the guests to the report of a failing test."""
    runs = item.stash.get(RUNS, None)
    sections: list[tuple[str, str]] = []
    if runs is not None and call.when == "call":
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            sections = _sections(item, runs)
        for ran in runs.ran:
            item.user_properties += _properties(ran)
    report = yield
    if report.failed:
        report.sections += sections
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the golden files that were written."""
    written = sorted(
        str(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for key, value in report.user_properties
        if key == _GOLDEN
    )
    for path in written:
        terminalreporter.write_line(f"golden file written: {path}")


def _cut(error: BaseException) -> None:
    # Where in the lab an error of the test's is noticed helps nobody.
    last, step = None, error.__traceback__
    while step is not None:
        package = str(step.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _PACKAGES:
            last = step
        step = step.tb_next
    if last is not None:
        last.tb_next = None


def _sections(item: pytest.Item, runs: Runs) -> list[tuple[str, str]]:
    folder = Path(
        item.config.getoption("l4lab_artifacts") or item.config.rootpath / _FOLDER
    ).absolute()
    sections = []
    for number, ran in enumerate(runs.ran, 1):
        name = item.nodeid if len(runs.ran) == 1 else f"{item.nodeid}-{number}"
        calls: Path | None = None
        try:
            trace, calls = record(ran, folder, name)
            kept = f"recorded: l4lab show {trace}"
            item.user_properties.append(("l4lab.trace", str(trace)))
        except GuestError as error:
            kept = f"not recorded: {error}"
        command = repeat_command(ran, calls)
        item.user_properties.append(("l4lab.repeat", command))
        sections.append((f"guest: {command}", f"{describe(ran, command)}\n{kept}"))
    return sections


def _properties(ran: Ran) -> list[tuple[str, object]]:
    run = ran.run
    if run is None:
        return []
    return [
        ("l4lab.scenario", run.scenario.name),
        ("l4lab.outcome", run.outcome),
        ("l4lab.cycles", run.cycles),
        ("l4lab.findings", ", ".join(f"{f.rule} {f.verdict}" for f in run.findings)),
        ("l4lab.trace_hash", run.trace_hash),
    ]


def _expected(item: pytest.Item) -> list[dict[str, str | int]] | str | None:
    # What the markers say; None: there is none.
    markers = list(item.iter_markers(_MARKER))
    if not markers:
        return None
    found = []
    for marker in reversed(markers):
        keys = dict(marker.kwargs)
        if marker.args:
            keys["rule"] = marker.args[0]
        if len(marker.args) > 1 or not keys:
            raise UsageError(f"{_MARKER} of {item.name}: expected a rule and keys")
        found.append(keys)
    if any(keys == {"rule": "any"} for keys in found):
        return "any"
    check_items(Expect(findings=tuple(found)), file=f"{_MARKER} of {item.name}")
    return found


def _judge(runs: Runs, expected: list[dict[str, str | int]] | None) -> None:
    """Fail if findings are not those expected.

    Without a marker, only of sessions at whose findings the test has not looked.
    """
    judged = [ran for ran in runs.ran if expected is not None or not ran.was_judged]
    if not judged:
        return
    findings = [finding for ran in judged for finding in ran.finish().findings]
    comparison: Comparison = compare_findings(expected or (), findings)
    if not comparison.holds:
        lines = "\n".join(str(line) for line in render_comparison(comparison, WIDTH))
        pytest.fail(f"findings are not those expected\n{lines}", pytrace=False)


def _messages(what: Run | Session | Sequence[Message], runs: Runs) -> Sequence[Message]:
    if isinstance(what, Session):
        return what.messages
    if not isinstance(what, Run):
        return what
    ran = runs.of(what)
    if ran is None:
        raise UsageError("this run is none of run_scenario's or of a session of this test")
    return ran.messages


def _load(
    scenario: Scenario | str | Path,
    folder: Path,
    *,
    arch: str | None,
    images: Mapping[str, str | Path] | None,
) -> Scenario:
    if not isinstance(scenario, Scenario):
        near = Path(normpath(folder / scenario))
        is_path = isinstance(scenario, Path) or "/" in scenario or scenario.endswith(".toml")
        scenario = load_scenario(near if is_path and near.is_file() else scenario, arch=arch)
    if not images:
        return scenario
    found = {
        task: folder / image if (folder / image).is_file() else image
        for task, image in images.items()
    }
    return with_images(scenario, found)
