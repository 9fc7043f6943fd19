"""A sweep: a scenario in all combinations of a matrix, each with calls hidden everywhere.

Rule 1: a row follows from the matrix and the programs alone; rows are in the matrix's order.
Rule 2: what only a hidden call or another reply length shows is latent: the programs as they
are do not do it.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from guest.errors import GuestError
from guest.image import Image, Segment, resolve
from guest.scenario import Scenario, load_scenario
from kernel.abi import Page
from kernel.variation import InjectIpc, ReplyWords, Variation
from lab.checker.candidate import Candidate
from lab.explore.matrix import Case, Matrix
from lab.explore.pool import Pool
from lab.names import Names
from lab.replay.probing import Probed, find_sites, probe
from lab.replay.system import boot, expected_words, load_programs

VERSION = 1
_SCHEMA = """
CREATE TABLE sweep (version INTEGER NOT NULL, digest TEXT NOT NULL);
CREATE TABLE rows (number INTEGER PRIMARY KEY, rows TEXT NOT NULL);
"""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One run of a sweep."""

    case: str
    arch: str
    injected: str  # where a call was hidden; empty: nowhere
    outcome: str
    memory: bool  # all words are those that the scenario expects
    console: bool  # and so is the console
    misuses: tuple[str, ...]  # what the checker noticed
    verdict: str  # "ok", "suspect" as it is, or "latent"
    cycles: int
    trace_hash: str


def run_case(matrix: Matrix, case: Case) -> tuple[Row, ...]:
    """Run a combination: as it is, and once for every place where a call could be hidden."""
    scenario, images = _programs(matrix, case)
    replies = _replies(scenario, images, case)
    rows = [_row(scenario, images, case, replies, "")]
    sites = (
        find_sites(
            scenario,
            images,
            scenario.cycles,
            touches="first-touch" in matrix.injections,
            calls="may-ipc" in matrix.injections,
        )
        if matrix.injections and not replies
        else []
    )
    for site in sites:
        hidden = (InjectIpc(site.position, site.thread),)
        row = _row(scenario, images, case, hidden, site.why)
        # What goes wrong without it, too, is told once.
        new = tuple(each for each in row.misuses if each not in rows[0].misuses)
        rows.append(replace(row, misuses=new, verdict="latent" if new else "ok"))
    return tuple(rows)


def sweep(
    matrix: Matrix,
    pool: Pool,
    *,
    store: Path | None = None,
    resumes: bool = False,
    progress: Progress | None = None,
) -> list[Row]:
    """Run all combinations; those that the store has are taken from there."""
    digest = hashlib.sha256(repr((matrix.text, matrix.cases)).encode()).hexdigest()
    kept: dict[int, tuple[Row, ...]] = {}
    connection: sqlite3.Connection | None = None
    if store is not None:
        connection, kept = _open(store, digest, resumes=resumes)
    missing = [number for number in range(len(matrix.cases)) if number not in kept]

    def arrived(at: int, rows: tuple[Row, ...]) -> None:
        kept[missing[at]] = rows
        if connection is not None:
            with connection:
                text = json.dumps([asdict(row) for row in rows])
                connection.execute("INSERT INTO rows VALUES (?, ?)", (missing[at], text))
        if progress is not None:
            progress(len(kept), len(matrix.cases))

    try:
        units = [matrix.cases[number] for number in missing]
        for _ in pool.map(partial(run_case, matrix), units, arrived):
            pass
    finally:
        if connection is not None:
            connection.close()
    return [row for number in sorted(kept) for row in kept[number]]


def flat(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Give rows as plain values, for tables."""
    return [{**asdict(row), "misuses": "; ".join(row.misuses)} for row in rows]


def write_sqlite(rows: Sequence[Row], path: Path) -> None:
    """Write rows to a table `sweep` of a new SQLite file."""
    names = list(Row.__slots__)
    try:
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection, connection:
            columns = ", ".join(f'"{name}"' for name in names)
            connection.execute(f"CREATE TABLE sweep ({columns})")
            marks = ", ".join(f":{name}" for name in names)
            connection.executemany(f"INSERT INTO sweep VALUES ({marks})", flat(rows))
    except (OSError, sqlite3.Error) as error:
        raise GuestError(f"cannot write this file: {error}", file=str(path)) from None


def _programs(matrix: Matrix, case: Case) -> tuple[Scenario, dict[str, Image]]:
    scenario = load_scenario(matrix.scenario, arch=case.arch)
    chosen = {task: Path(path.replace("{arch}", case.arch)) for task, path in case.images}
    tasks = tuple(
        replace(task, image=chosen.get(task.name, task.image)) for task in scenario.tasks
    )
    scenario = replace(scenario, tasks=tasks)
    images = load_programs(scenario)
    for where, value in case.words:
        task, _, symbol = where.partition(".")
        key = f"words.{where}"
        address = resolve(images[task], symbol, file=str(matrix.path), key=key)
        word = value.to_bytes(scenario.arch.word, "little")
        image = _with_bytes(images[task], address, word)
        if image is None:
            raise GuestError(
                "not in memory that can be written", file=str(matrix.path), key=key
            )
        images[task] = image
    return scenario, images


def _with_bytes(image: Image, address: int, data: bytes) -> Image | None:
    segment = image.segment_at(address)
    if segment is None or address + len(data) > segment.end or not segment.rights & Page.W:
        return None
    content = bytearray(segment.data.ljust(address - segment.address + len(data), b"\0"))
    at = address - segment.address
    content[at : at + len(data)] = data
    changed = Segment(segment.address, bytes(content), segment.size, segment.rights)
    digest = hashlib.sha256(f"{image.digest} {address:#x} {data.hex()}".encode()).hexdigest()
    segments = tuple(changed if each is segment else each for each in image.segments)
    return replace(image, segments=segments, digest=digest)


def _replies(scenario: Scenario, images: dict[str, Image], case: Case) -> Variation:
    if not case.replies:
        return ()
    with closing(boot(scenario, images)) as system:
        threads = system.subjects().threads
    return tuple(ReplyWords(threads[thread], words) for thread, words in case.replies)


def _row(
    scenario: Scenario, images: dict[str, Image], case: Case, variation: Variation, why: str
) -> Row:
    probed = probe(scenario, images, variation, scenario.cycles)
    with closing(probed.system):
        expect = scenario.expect
        places = expected_words(scenario, images)
        memory = all(
            probed.system.load_word(*places[word]) == value
            for word, value in (expect.memory or {}).items()
        )
        names = probed.system.names
        misuses = tuple(dict.fromkeys(_describe(each, names) for each in probed.candidates))
        return Row(
            case=str(case),
            arch=case.arch,
            injected=_place(variation, why, probed, names),
            outcome=probed.outcome.name.lower(),
            memory=memory,
            console=expect.console is None or expect.console == probed.console,
            misuses=misuses,
            verdict=("latent" if variation else "suspect") if misuses else "ok",
            cycles=probed.cycles,
            trace_hash=probed.trace_hash,
        )


def _place(variation: Variation, why: str, probed: Probed, names: Names) -> str:
    for each in variation:
        if isinstance(each, InjectIpc):
            return f"{why}, {names.of(each.thread)} at position {each.position}"
    return ""


def _describe(candidate: Candidate, names: Names) -> str:
    place = names.place(candidate.thread, candidate.where.pc)
    who = names.of(candidate.thread)
    word = candidate.offset // names.arch.word
    intact = ", intact" if candidate.is_intact else ""
    return f"{candidate.rule.value} of word {word} by {who} at {place}{intact}"


def _open(
    path: Path, digest: str, *, resumes: bool
) -> tuple[sqlite3.Connection, dict[int, tuple[Row, ...]]]:
    exists = path.exists()
    if exists and not resumes:
        raise GuestError("there already: go on with --resume", file=str(path))
    try:
        connection = sqlite3.connect(path)
        if not exists:
            connection.executescript(_SCHEMA)
            connection.execute("INSERT INTO sweep VALUES (?, ?)", (VERSION, digest))
            connection.commit()
        if connection.execute("SELECT * FROM sweep").fetchall() != [(VERSION, digest)]:
            raise GuestError("of another sweep: the matrix differs", file=str(path))
        rows = connection.execute("SELECT number, rows FROM rows").fetchall()
        return connection, {
            int(number): tuple(_row_of(each) for each in json.loads(text))
            for number, text in rows
        }
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise GuestError(f"no store of a sweep: {error}", file=str(path)) from error


def _row_of(value: dict[str, Any]) -> Row:
    return Row(**{**value, "misuses": tuple(value["misuses"])})
