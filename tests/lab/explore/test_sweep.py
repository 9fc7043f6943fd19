"""A sweep runs every combination, hides calls where they could be, and fills a table."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from guest.errors import GuestError
from lab.explore.matrix import load_matrix
from lab.explore.pool import Alone, Processes
from lab.explore.sweep import sweep
from tests.lab.cli import CommandLine

MATRIX = """
scenario = "faq_read_first"
arch     = ["amd64", "ia32"]
inject   = ["first-touch"]

[images]
server   = ["{arch}/faq_nested_call.s", "{arch}/faq_read_first.s"]
"""


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    path = tmp_path / "matrix.toml"
    path.write_text(MATRIX)
    return path


def test_the_bug_is_seen_as_it_is_and_its_cure_is_not(matrix: Path) -> None:
    rows = [row for row in sweep(load_matrix(matrix), Alone()) if not row.injected]

    assert [(row.case, row.memory, row.verdict) for row in rows] == [
        ("amd64, server=faq_nested_call.s", False, "suspect"),
        ("amd64, server=faq_read_first.s", True, "ok"),
        ("ia32, server=faq_nested_call.s", False, "suspect"),
        ("ia32, server=faq_read_first.s", True, "ok"),
    ]
    assert rows[0].misuses[0].startswith("stale-read of word 1 by server at dispatch")


def test_a_hidden_call_shows_what_is_latent_and_nothing_more(matrix: Path) -> None:
    rows = sweep(load_matrix(matrix), Alone())
    hidden = [row for row in rows if row.injected]

    assert {row.verdict for row in hidden} == {"ok", "latent"}
    assert {row.injected.partition(",")[0] for row in hidden} == {"first touch of a page"}
    assert len({row.trace_hash for row in hidden}) > len(hidden) // 2


def test_functions_that_may_call_are_sites(tmp_path: Path) -> None:
    text = (Path("guest/scenarios") / "faq_read_first.toml").read_text()
    (tmp_path / "own.toml").write_text(text + '\n[functions]\nmay_ipc = ["dispatch"]\n')
    file = tmp_path / "matrix.toml"
    file.write_text('scenario = "own.toml"\ninject = ["may-ipc"]\n')

    rows = sweep(load_matrix(file), Alone())

    assert len(rows) == 1 + 3 + 1  # requests to the two servers
    assert {row.injected.partition(",")[0] for row in rows[1:]} == {"call of dispatch"}
    assert any(row.verdict == "latent" for row in rows[1:])


def test_a_reply_may_have_another_length(tmp_path: Path) -> None:
    file = tmp_path / "matrix.toml"
    file.write_text('scenario = "faq_nested_call"\n[reply]\nnotifier = [0, 1, 2]\n')

    rows = sweep(load_matrix(file), Alone())

    assert [row.case for row in rows] == [f"amd64, notifier replies {n}" for n in range(3)]
    # The request of the nested call has a 3 there, its usual reply a 7.
    assert [row.memory for row in rows] == [False, False, True]
    assert {row.verdict for row in rows} == {"latent"}


def test_a_word_of_a_program_may_be_another_one(tmp_path: Path) -> None:
    file = tmp_path / "matrix.toml"
    file.write_text('scenario = "overtaken"\n[words]\n"server.sum" = [0, 7]\n')

    rows = sweep(load_matrix(file), Alone())

    assert [row.memory for row in rows] == [True, False]


def test_rows_are_the_same_with_two_workers_and_after_a_resume(
    matrix: Path, tmp_path: Path
) -> None:
    it, file = load_matrix(matrix), tmp_path / "store.sqlite"
    two = Processes(2)
    rows = sweep(it, two, store=file)
    two.close()

    class Nobody(Alone):
        def map(self, function: Any, units: Any, arrived: Any) -> Any:
            assert not units, "everything is there"
            return iter(())

    assert rows == sweep(it, Alone())
    assert sweep(it, Nobody(), store=file, resumes=True) == rows
    with pytest.raises(GuestError, match="there already"):
        sweep(it, Alone(), store=file)


def test_a_table_is_written_as_parquet_and_as_sqlite(
    matrix: Path, tmp_path: Path, l4lab: CommandLine
) -> None:
    files = [tmp_path / "rows.parquet", tmp_path / "rows.sqlite"]

    done = [l4lab("sweep", str(matrix), "--json", "--out", str(file)) for file in files]

    rows = json.loads(done[0].out)["rows"]
    assert [each.code for each in done] == [1, 1]
    table: Any = parquet
    assert table.read_table(files[0]).to_pylist() == rows
    with sqlite3.connect(files[1]) as connection:
        cases = connection.execute('SELECT "case" FROM sweep').fetchall()
    assert [case for (case,) in cases] == [row["case"] for row in rows]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "scenario"),
        ('scenario = "nothing-of-this-name"', None),
        ('scenario = "overtaken"\narch = ["arm"]', "arch"),
        ('scenario = "overtaken"\ninject = ["everywhere"]', "inject"),
        ('scenario = "overtaken"\n[images]\ncarol = ["a.s"]', "images.carol"),
        ('scenario = "overtaken"\n[images]\nbob = ["no_such.s"]', "images.bob"),
        ('scenario = "overtaken"\n[images]\nbob = []', "images"),
        ('scenario = "overtaken"\n[reply]\nserver = [64]', "reply.server"),
        ('scenario = "overtaken"\n[words]\n"server" = [1]', "words.server"),
        ('scenario = "overtaken"\nunknown = 1', "unknown"),
    ],
)
def test_a_wrong_matrix_is_one_error(tmp_path: Path, text: str, key: str | None) -> None:
    file = tmp_path / "matrix.toml"
    file.write_text(text)

    with pytest.raises(GuestError) as caught:
        load_matrix(file)

    assert caught.value.key == key
