"""Why, asked of a recorded run: it is run again from the trace, and held against it."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from lab.replay.stored import find_mismatch, timeline_of
from lab.trace.head import seal
from lab.trace.reader import open_trace
from tests.lab.cli import CommandLine


@pytest.fixture
def faq(tmp_path: Path, l4lab: CommandLine) -> str:
    path = str(tmp_path / "faq.l4trace")
    assert l4lab("run", "faq_nested_call", "--trace", path).code == 0
    return path


def test_why_answers_for_a_trace_as_for_its_scenario(l4lab: CommandLine, faq: str) -> None:
    stored = l4lab("why", faq, "server", "mr[1]", "--at", "F1")
    live = l4lab("why", "faq_nested_call", "server", "mr[1]", "--at", "f1")

    assert (stored.code, stored.err) == (0, "")
    assert stored.out == live.out
    first = stored.out.splitlines()
    assert first[0] == "mr[1] of server at 830 is 0x7"
    assert "message notifier → server" in first[1]


def test_a_mark_that_is_no_finding_is_one_message(l4lab: CommandLine, faq: str) -> None:
    called = l4lab("why", faq, "server", "mr[1]", "--at", "F7")

    assert (called.code, called.out) == (3, "")
    assert called.err.endswith("no finding 'F7': this run has F1\n")


def test_a_trace_has_its_own_architecture(l4lab: CommandLine, faq: str) -> None:
    called = l4lab("why", faq, "server", "mr[1]", "--arch", "ia32")

    assert called.code == 3
    assert "--arch is for a scenario" in called.err


def test_a_run_that_goes_otherwise_than_recorded_is_told_once(
    l4lab: CommandLine, faq: str
) -> None:
    # Another model for the cycles: everything happens at other times.
    with sqlite3.connect(faq) as database:
        rows = [
            tuple(row)
            for table in ("program", "task", "object")
            for row in database.execute(f"SELECT * FROM {table} ORDER BY number")
        ]
        (*values, _) = database.execute("SELECT * FROM head").fetchone()
        values[6] = "flat fast 0 1000000 kHz"
        sealed = seal((tuple(values), *rows))
        database.execute("UPDATE head SET model = ?, seal = ?", (values[6], sealed))

    called = l4lab("why", faq, "server", "mr[1]", "--at", "830", "--json")

    assert (called.code, json.loads(called.out)["value"]) == (0, "0x7")
    assert called.err.count("the run does not go as recorded, from event ") == 1


def test_what_was_repeated_is_compared_up_to_where_it_came(faq: str) -> None:
    with open_trace(Path(faq)) as trace:
        timeline = timeline_of(trace)
        try:
            timeline.seek(700)
            assert find_mismatch(timeline, trace) is None
            timeline.seek_end()
            assert find_mismatch(timeline, trace) is None
            other = replace(trace, chunks=())
            assert other.ending is not None
            assert find_mismatch(timeline, other) == 0
        finally:
            timeline.close()
