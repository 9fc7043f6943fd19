"""Traces that are damaged, of another version, or made to harm: one clear error each."""

import json
import shutil
import sqlite3
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from guest.errors import GuestError
from lab.query import named
from lab.trace.head import seal
from lab.trace.journal import journal_of
from lab.trace.reader import open_trace
from lab.trace.records import sets_of, starts_of
from lab.trace.schema import APPLICATION_ID, FILE_VERSION, TABLES, to_signed
from lab.views.mermaid import render_diagram
from lab.views.perfetto import encode_trace
from lab.views.stored import render_row, render_summary
from lab.views.text import render_event
from lab.views.timeline import items_of
from tests.lab.cli import CommandLine
from tests.lab.recording import record

SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("traces")
    found = {}
    for name in ("faq_nested_call", "page_fault_forever", "ipc_errors"):
        for arch in ("amd64", "ia32"):
            path = folder / f"{name}-{arch}"
            record(path, name, arch=arch)
            found[path.name] = path.read_bytes()
    return found


@pytest.fixture
def trace(tmp_path: Path, traces: dict[str, bytes]) -> Path:
    path = tmp_path / "t"
    path.write_bytes(traces["faq_nested_call-amd64"])
    return path


def read_all(path: Path) -> int:
    """Do with a trace all that can be done without running it."""
    with open_trace(path) as trace:
        list(render_summary(trace))
        for stamped, names in named(trace):
            list(render_event(stamped.event, names))
            render_row(stamped, names)
        for _ in encode_trace(items_of(trace)):
            pass
        for _ in render_diagram((s.event, names) for s, names in named(trace)):
            pass
        for thread in trace.threads():
            trace.utcb(thread, len(trace) - 1)
        trace.scenario()
        return len(trace)


def check(path: Path) -> str | None:
    """Give the message of the error, None if all went well."""
    try:
        read_all(path)
    except GuestError as error:
        return str(error) if str(error).isprintable() else f"not in one line: {error!r}"
    return None


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bytes_are_an_error_or_change_nothing_that_hurts(
    tmp_path: Path, traces: dict[str, bytes], seed: int
) -> None:
    random = Random(seed)
    path = tmp_path / "t"
    errors = 0
    for _ in range(30):
        data = bytearray(random.choice(list(traces.values())))
        for _ in range(random.choice((1, 1, 3, 50))):
            data[random.randrange(len(data))] = random.randrange(256)
        path.write_bytes(data)
        errors += (check(path) or "").startswith(f"{path}: ")
    assert errors > 5


def test_any_byte_of_the_first_pages_may_be_wrong(
    tmp_path: Path, traces: dict[str, bytes]
) -> None:
    path = tmp_path / "t"
    whole = traces["faq_nested_call-ia32"]
    for at in (*range(0, 128), *range(128, 8192, 61)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x81]) + whole[at + 1 :])
        assert (check(path) or str(path)).startswith(str(path))


@pytest.mark.parametrize("seed", range(4))
def test_a_truncated_file_is_an_error(
    tmp_path: Path, traces: dict[str, bytes], seed: int
) -> None:
    random = Random(seed)
    path = tmp_path / "t"
    for _ in range(20):
        data = random.choice(list(traces.values()))
        path.write_bytes(data[: random.randrange(len(data) - 1)])
        assert check(path) is not None


@pytest.mark.parametrize("seed", range(4))
def test_records_of_random_words_are_an_error_or_events(
    tmp_path: Path, traces: dict[str, bytes], seed: int
) -> None:
    # Behind a valid compression, as only someone who wants to does it.
    random = Random(seed)
    path = tmp_path / "t"
    interesting = [0, 1, 2, 5, 63, 64, 200, 1 << 31, 1 << 32, 1 << 63, (1 << 64) - 1]
    for _ in range(30):
        path.write_bytes(random.choice(list(traces.values())))

        def harm(words: list[int]) -> None:
            for _ in range(random.choice((1, 2, 5))):
                words[random.randrange(len(words))] = random.choice(interesting)

        change_chunk(path, harm)
        assert (check(path) or str(path)).startswith(str(path))


def change_chunk(path: Path, harm: Callable[[list[int]], None]) -> None:
    """Change the first chunk's records, and its row so that it agrees as far as it can."""
    database = sqlite3.connect(path)
    (data,) = database.execute("SELECT data FROM chunk WHERE number = 0").fetchone()
    words = memoryview(zlib.decompress(data)).cast("Q").tolist()
    harm(words)
    try:
        starts = starts_of(words)
        kinds, objects = sets_of(words, starts)
        last = starts[-1]
        stamps = [words[k] & (1 << 63) - 1 for k in (1, last + 1, 2, last + 2)]
        row = (len(starts), *stamps, to_signed(kinds), to_signed(objects))
        database.execute(
            "UPDATE chunk SET records = ?, first_cycle = ?, last_cycle = ?, "
            "first_position = ?, last_position = ?, kinds = ?, objects = ?",
            row,
        )
    except ValueError:
        pass
    raw = struct.pack(f"<{len(words)}Q", *words)
    database.execute("UPDATE chunk SET size = ?, data = ?", (len(raw), zlib.compress(raw)))
    database.commit()
    database.close()


def change(path: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    """Execute SQL on a trace, and seal it as its writer would."""
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement, values if "?" in statement else ())
    database.commit()
    try:
        (*head, _) = database.execute("SELECT * FROM head").fetchone()
        rows = [tuple(head)]
        for table in ("program", "task", "object"):
            rows += database.execute(f"SELECT * FROM {table} ORDER BY number").fetchall()
        database.execute("UPDATE head SET seal = ?", (seal(rows),))
    except (sqlite3.Error, TypeError):
        pass
    database.commit()
    database.close()


def debug_with(**tables: object) -> bytes:
    """Make debug information of nothing but these tables."""
    names = ("symbols", "files", "lines", "begins", "scopes", "map")
    value = {**{name: [] for name in names}, "source": {}, **tables}
    return zlib.compress(json.dumps(value).encode())


BOMB = zlib.compress(bytes(400 << 20), 9)
DAMAGE: dict[str, tuple[str, tuple[object, ...], str]] = {
    "a chunk that is missing": ("DELETE FROM chunk", (), "the run's end makes no sense"),
    "a huge number of records": ("UPDATE chunk SET records = 1 << 40", (), "no sense"),
    "no records": ("UPDATE chunk SET records = 0", (), "no sense"),
    "more records than there are": ("UPDATE chunk SET records = 41", (), "no sense"),
    "fewer records than there are": ("UPDATE chunk SET records = 39", (), "no sense"),
    "a huge chunk": ("UPDATE chunk SET size = 1 << 50", (), "no sense"),
    "a chunk of another size": ("UPDATE chunk SET size = 80", (), "chunk 0: over 80 bytes"),
    "a chunk that is a bomb": ("UPDATE chunk SET data = ?", (BOMB,), "chunk 0: over "),
    "a chunk that is not packed": ("UPDATE chunk SET data = x'00'", (), "chunk 0: "),
    "a cycle before all others": ("UPDATE chunk SET first_cycle = -1", (), "no sense"),
    "a cycle that is another": ("UPDATE chunk SET last_cycle = 99999", (), "otherwise"),
    "kinds that are others": ("UPDATE chunk SET kinds = 1", (), "otherwise"),
    "objects that are others": ("UPDATE chunk SET objects = -1", (), "otherwise"),
    "a hash that is none": ("UPDATE chunk SET digest = 'x'", (), "no sense"),
    "another hash": ("UPDATE chunk SET digest = 'a' || substr(digest, 2)", (), "no sense"),
    "a chunk's number": ("UPDATE chunk SET number = 7", (), "no sense"),
    "an outcome that is none": ("UPDATE ending SET outcome = 'x'", (), "no sense"),
    "an engine of control codes": ("UPDATE ending SET engine = ?", ("\x1b[2J",), "no sense"),
    "two ends": ("INSERT INTO ending SELECT * FROM ending", (), "no sense"),
    "too many events": ("UPDATE ending SET events = 41", (), "no sense"),
    "cut somewhere": ("INSERT INTO truncated VALUES (7, 1)", (), "no sense"),
    "no head": ("DELETE FROM head", (), "nothing was recorded"),
    "two heads": ("INSERT INTO head SELECT * FROM head", (), "two heads"),
    "an architecture": ("UPDATE head SET arch = 'vax'", (), "no sense"),
    "a budget below zero": ("UPDATE head SET budget = -1", (), "without time"),
    "a clock that stands": ("UPDATE head SET cpu_khz = 0", (), "without time"),
    "a scenario that is none": ("UPDATE head SET scenario = 'x'", (), "not TOML"),
    "a name that is a path": ("UPDATE head SET scenario_name = '../x'", (), "no sense"),
    "a model of control codes": ("UPDATE head SET model = ?", ("\x1b[2J",), "no sense"),
    "versions that are none": ("UPDATE head SET versions = '{}'", (), "expected a list"),
    "deep versions": ("UPDATE head SET versions = ?", ("[" * 100_000,), "nested too deeply"),
    "a program that is missing": ("DELETE FROM program", (), "program 0 of 0"),
    "a program of another form": ("UPDATE program SET form = 'x'", (), "form"),
    "a program that is another": (
        "UPDATE program SET data = (SELECT data FROM program WHERE number = 1)",
        (),
        "not what its digest says",
    ),
    "an entry elsewhere": ("UPDATE program SET entry = 0", (), "not what its digest says"),
    "a program that is a bomb": ("UPDATE program SET data = ?", (BOMB,), "too large"),
    "symbols that are a bomb": ("UPDATE program SET debug = ?", (BOMB,), "too large"),
    "programs that are too large together": (
        "UPDATE program SET data = ?",
        (zlib.compress(bytes(250 << 20), 9),),
        "too large",
    ),
    "no symbols": ("UPDATE program SET debug = ?", (zlib.compress(b"{}"),), "no list"),
    "deep symbols": (
        "UPDATE program SET debug = ?",
        (zlib.compress(b"[" * 1_000_000),),
        "nested too deeply",
    ),
    "half a character": (
        "UPDATE program SET debug = ?",
        (debug_with(source={"a": "\ud800"}),),
        "surrogates not allowed",
    ),
    "a line of no file": (
        "UPDATE program SET debug = ?",
        (debug_with(lines=[[0, 0, 0]]),),
        "a number that is none",
    ),
    "a scope around itself": (
        "UPDATE program SET debug = ?",
        (debug_with(files=["a"], scopes=[[0, "f", 0, 1, False]]),),
        "a number that is none",
    ),
    "a map to no scope": (
        "UPDATE program SET debug = ?",
        (debug_with(map=[[0, 0]]),),
        "a number that is none",
    ),
    "lines that are not sorted": (
        "UPDATE program SET debug = ?",
        (debug_with(files=["a"], lines=[[5, 0, 1], [4, 0, 1]]),),
        "not sorted",
    ),
    "a task of no program": ("UPDATE task SET program = 99", (), "program 99 of 3"),
    "a thread of no program": ("UPDATE object SET program = -1", (), "program -1 of 3"),
    "a finding that is none": ("INSERT INTO finding VALUES (99, '[]')", (), "no object"),
    "a finding that is no JSON": ("INSERT INTO finding VALUES (99, '{')", (), "Expecting"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_named(trace: Path, what: str) -> None:
    statement, values, message = DAMAGE[what]
    change(trace, statement, values=values)

    found = check(trace)

    assert found is not None
    assert message in found
    assert found.startswith(f"{trace}: this trace is damaged: ") or "TOML" in found


def test_what_is_not_sealed_is_noticed(trace: Path) -> None:
    database = sqlite3.connect(trace)
    database.execute("UPDATE object SET name = 'other' WHERE number = 5")
    database.commit()
    database.close()

    assert check(trace) == f"{trace}: this trace is damaged: its head is not what was written"


def test_names_in_a_trace_cannot_steer_a_terminal(trace: Path) -> None:
    change(trace, "UPDATE object SET name = ?", values=("\x1b[2Jx\n",))

    with open_trace(trace) as opened:
        assert set(opened.names().objects.values()) == {"\\x1b[2Jx\\n"}


@pytest.mark.parametrize(
    ("pragma", "message"),
    [
        (
            f"user_version = {FILE_VERSION + 1}",
            f"this trace is of a newer version (file {FILE_VERSION + 1}, this l4lab reads "
            f"{FILE_VERSION}): use a newer l4lab",
        ),
        (
            f"user_version = {FILE_VERSION - 1}",
            f"this trace is of an older version (file {FILE_VERSION - 1}, this l4lab reads "
            f"{FILE_VERSION}): record it again",
        ),
        ("application_id = 7", "this is not a trace, but another database"),
    ],
)
def test_another_version_is_said_to_be_one(trace: Path, pragma: str, message: str) -> None:
    change(trace, f"PRAGMA {pragma}")

    assert check(trace) == f"{trace}: {message}"


@pytest.mark.parametrize(("step", "age"), [(1, "a newer"), (-1, "an older")])
def test_events_of_another_version_are_said_to_be_that(
    trace: Path, step: int, age: str
) -> None:
    change(trace, f"UPDATE head SET trace_version = trace_version + {step}")

    assert f"this trace is of {age} version (events " in str(check(trace))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (number INTEGER)",
        "CREATE VIEW more AS SELECT * FROM head",
        "CREATE INDEX more ON chunk (first)",
        "CREATE TRIGGER more AFTER INSERT ON head BEGIN DELETE FROM head; END",
        "DROP TABLE finding",
        "ALTER TABLE head ADD COLUMN more TEXT",
        "ALTER TABLE head RENAME COLUMN arch TO architecture",
    ],
)
def test_other_tables_than_ours_are_refused(trace: Path, statement: str) -> None:
    change(trace, statement)

    message = f"{trace}: this trace is damaged: its tables are not those of a trace"
    assert check(trace) == message


def test_values_of_other_types_are_refused(tmp_path: Path, trace: Path) -> None:
    # What STRICT keeps out when it is written, a crafted file has all the same.
    for table, column, values in (
        ("head", "scenario", ("NULL", "x'00'", "1.5", "7")),
        ("head", "budget", ("NULL", "x'00'", "1.5", "'7'")),
        ("head", "versions", ("NULL", "x'00'", "1.5", "7")),
        ("chunk", "first_cycle", ("NULL", "x'00'", "1.5", "'7'")),
        ("chunk", "digest", ("NULL", "x'00'", "1.5", "7")),
        ("chunk", "data", ("NULL", "1.5", "7", "'text'")),
        ("program", "data", ("NULL", "1.5", "7", "'text'")),
        ("program", "name", ("NULL", "x'00'", "1.5", "7")),
        ("task", "program", ("NULL", "x'00'", "0.5", "'0'")),
        ("object", "name", ("NULL", "x'00'", "1.5", "7")),
        ("ending", "engine", ("NULL", "x'00'", "1.5", "7")),
    ):
        for value in values:
            path = tmp_path / "c"
            shutil.copy(trace, path)
            store_loosely(path, table, f"UPDATE {table} SET {column} = {value}")

            assert f"{path}: this trace is damaged: " in str(check(path)), (column, value)


def store_loosely(path: Path, table: str, statement: str) -> None:
    """Change a table without its checks; afterwards the file says that it has them."""
    database = sqlite3.connect(path)
    loose = TABLES[table].replace(" STRICT", "").replace("NOT NULL", "")
    for kind in ("INTEGER ", "TEXT ", "BLOB "):
        loose = loose.replace(kind, " ")
    rows = database.execute(f"SELECT * FROM {table}").fetchall()
    database.execute(f"DROP TABLE {table}")
    database.execute(loose)
    for row in rows:
        marks = ",".join("?" * len(row))
        database.execute(f"INSERT INTO {table} VALUES ({marks})", row)
    database.execute(statement)
    database.execute("PRAGMA writable_schema = ON")
    sql = "UPDATE sqlite_schema SET sql = ? WHERE name = ?"
    database.execute(sql, (TABLES[table], table))
    database.commit()
    database.close()
    change(path)


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"id": 7, "thread": [], "cycle": "x"}',
        '{"id": "\\u001b[2J", "thread": "server", "cycle": -1, "rule": {}}',
        '{"thread": "server", "cycle": 1e999}',
        '{"thread": "server", "cycle": 9000, "summary": "\\ud800"}',
    ],
)
def test_findings_may_say_anything(trace: Path, body: str) -> None:
    change(trace, "DELETE FROM finding", "INSERT INTO finding VALUES (0, ?)", values=(body,))

    assert check(trace) is None


def test_a_database_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE moz_places (id INTEGER PRIMARY KEY)")
    database.commit()
    database.close()
    assert check(path) == f"{path}: this is not a trace, but another database"

    database = sqlite3.connect(path)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {FILE_VERSION}")
    database.commit()
    database.close()
    assert "its tables are not those of a trace" in str(check(path))


@pytest.mark.parametrize("data", [b"", b"SQLite format 3", b"\x7fELF" + bytes(100), b"x" * 99])
def test_a_file_that_is_no_database_is_not_a_trace(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t"
    path.write_bytes(data)

    assert check(path) == f"{path}: this is not a trace"


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    assert "expected a regular file" in str(check(Path("/dev/zero")))
    assert "expected a regular file" in str(check(tmp_path))
    assert "no such file" in str(check(tmp_path / "none"))
    assert "cannot read this trace: " in str(check(Path("nul\0")))


def test_a_schema_that_is_a_maze_is_left(tmp_path: Path, trace: Path) -> None:
    # The root of the schema becomes a page that refers to itself a thousand times.
    data = bytearray(trace.read_bytes())
    size = 4096
    cells = 300
    page = bytearray(size)
    page[:100] = data[:100]
    page[100:112] = struct.pack(">BHHHBI", 5, 0, cells, 0, 0, 2)
    inner = bytearray(size)
    inner[:12] = struct.pack(">BHHHBI", 5, 0, cells, 0, 0, 2)
    for target, begin in ((page, 112), (inner, 12)):
        for k in range(cells):
            at = size - 5 * (k + 1)
            target[at : at + 5] = struct.pack(">IB", 2, 1)
            target[begin + 2 * k : begin + 2 * k + 2] = struct.pack(">H", at)
    data[:size], data[size : 2 * size] = page, inner
    trace.write_bytes(data)

    assert "this trace is damaged: " in str(check(trace))


def test_a_journal_that_names_another_file_is_refused(trace: Path) -> None:
    # SQLite would delete that file.
    precious = trace.with_name("precious")
    precious.write_text("precious")
    name = str(precious).encode()
    journal = bytearray(512)
    journal[:8] = SUPER_JOURNAL
    journal += struct.pack(">I", (1 << 30) // 4096) + name
    journal += struct.pack(">II", len(name), sum(name)) + SUPER_JOURNAL
    journal_of(trace).write_bytes(journal)

    assert "t-journal names another file" in str(check(trace))
    assert precious.read_text() == "precious"


def test_a_journal_that_is_a_link_is_refused(trace: Path) -> None:
    precious = trace.with_name("precious")
    precious.write_bytes(SUPER_JOURNAL + bytes(600))
    journal_of(trace).symlink_to(precious)

    assert "t-journal is no regular file" in str(check(trace))
    assert precious.exists()


def test_a_chunk_s_hash_is_held_against_its_events_when_it_is_run_again(
    l4lab: CommandLine, trace: Path
) -> None:
    change(
        trace,
        "UPDATE chunk SET digest = '00' || substr(digest, 3)",
        "UPDATE ending SET trace_hash = (SELECT digest FROM chunk)",
    )

    called = l4lab("replay", str(trace))

    assert (called.code, called.out) == (3, "")
    assert "chunk 0: its hash is not that of its events" in called.err


@pytest.mark.parametrize("command", ["show", "replay", "query", "export"])
def test_every_command_says_it_in_one_line_and_exits_with_3(
    l4lab: CommandLine, trace: Path, command: str
) -> None:
    more = {"query": ["events"], "export": ["--jsonl", "-"]}.get(command, [])
    trace.write_bytes(trace.read_bytes()[:5000])

    called = l4lab(command, str(trace), *more)

    assert (called.code, called.out) == (3, "")
    assert called.err.startswith(f"l4lab: {trace}: this trace is damaged: ")
    assert called.err.count("\n") == 1


def test_in_json_damage_that_is_come_to_is_in_the_same_object(
    l4lab: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    record(path, "pingpong_forever_4", cycles=6_000_000)
    change(path, "UPDATE chunk SET data = x'00' WHERE number = 1")

    called = l4lab("show", str(path), "--json")

    value = json.loads(called.out)
    assert (called.code, called.err) == (3, "")
    assert len(value["events"]) == 4096
    assert value["error"]["message"].startswith("this trace is damaged: chunk 1: ")


def test_in_json_it_is_one_object(l4lab: CommandLine, trace: Path) -> None:
    trace.write_bytes(b"x")

    called = l4lab("show", str(trace), "--json")

    assert (called.code, called.err) == (3, "")
    assert json.loads(called.out)["error"]["message"] == "this is not a trace"
