"""`l4lab explore`: its report, its exit codes, and what it refuses."""

import json
from pathlib import Path

import pytest

from tests.lab.cli import CommandLine


def test_a_failing_order_is_told_saved_and_run_again(
    l4lab: CommandLine, tmp_path: Path
) -> None:
    done = l4lab("explore", "overtaken", "--save", str(tmp_path))

    file = tmp_path / "overtaken-1.schedule.json"
    assert done.code == 1
    assert "all within the bound, up to order that does not matter" in done.out
    assert "finding: stale-read of mr[1] by server in dispatch overtaken.s:40" in done.out
    assert "     alice: preempt number 4, option 1\n" in done.out
    assert f"l4lab run overtaken --schedule {file}" in done.out.replace("\n     ", "")
    again = l4lab("run", "overtaken", "--schedule", str(file))
    assert again.code == 1
    assert "F1 confirmed stale-read of mr[1]" in again.out
    assert l4lab("run", "overtaken").code == 0


def test_a_recorded_run_of_a_schedule_is_replayed(l4lab: CommandLine, tmp_path: Path) -> None:
    l4lab("explore", "overtaken", "--save", str(tmp_path))
    file, trace = tmp_path / "overtaken-1.schedule.json", tmp_path / "run.l4trace"

    l4lab("run", "overtaken", "--schedule", str(file), "--trace", str(trace))

    assert l4lab("replay", str(trace)).code == 0


def test_the_cure_is_reported_as_free(l4lab: CommandLine, tmp_path: Path) -> None:
    done = l4lab("explore", "overtaken_read_first", "--json", "--save", str(tmp_path))

    value = json.loads(done.out)
    assert done.code == 0
    assert (value["complete"], value["pruning"], value["failing"]) == (True, True, 0)
    assert value["failures"] == []
    assert value["coverage"]["alice"]["lines"] == value["coverage"]["alice"]["of"]
    assert list(tmp_path.iterdir()) == []


def test_pct_prints_its_bound(l4lab: CommandLine, tmp_path: Path) -> None:
    done = l4lab("explore", "overtaken", "--pct", "3", "--runs", "5", "--save", str(tmp_path))

    assert "n = 3 threads, k = 12 choices, d = 3: " in done.out
    assert "once in 432 runs or fewer" in done.out


def test_overruled_priorities_are_called_infeasible(l4lab: CommandLine, tmp_path: Path) -> None:
    done = l4lab("explore", "overtaken", "--smp-like", "--runs", "5", "--save", str(tmp_path))

    assert "infeasible on one CPU" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--random", "5", "--pct", "2"), "--random and --pct: one of them"),
        (("--preempt", "sometimes"), "expected syscalls, shared or a number of cycles"),
        (("--preempt", "0"), "expected syscalls, shared or a number of cycles"),
        (("--resume",), "--resume: there is no --store"),
        (("--random", "5", "--runs", "7"), "--runs: --random says how many"),
        (("--save", "/nowhere/at/all"), "no folder"),
    ],
)
def test_wrong_options_are_one_error(
    l4lab: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    done = l4lab("explore", "overtaken", *arguments)

    assert (done.code, done.out) == (3, "")
    assert message in done.err


def test_loose_without_a_schedule_is_refused(l4lab: CommandLine) -> None:
    assert l4lab("run", "overtaken", "--loose").code == 3
