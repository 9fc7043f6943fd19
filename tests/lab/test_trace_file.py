"""A run recorded to a file: all of it, whatever becomes of the writer, and nothing else."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from guest.errors import GuestError
from guest.scenario import load_scenario
from kernel.abi import ARCHES
from kernel.events import Event, Invocation, Log, Transfer
from lab.replay.again import repeat
from lab.replay.system import load_programs
from lab.run import run_scenario
from lab.trace.format import CHUNK, Identity, encode
from lab.trace.head import Ending, Head
from lab.trace.mark import Clock, Mark, parse_mark
from lab.trace.reader import open_trace
from lab.trace.writer import TraceWriter
from tests.lab.recording import record

ROOT = Path(__file__).parents[2]
ARCHES_BOTH = ["amd64", "ia32"]
NAMES = [
    "faq_nested_call",
    "faq_read_first-cxx-O2",
    "ipc_errors",
    "irq_server",
    "l4re_start",
    "page_fault_forever",
    "sigma0_and_root",
    "root_modules",
    "thread_local",
]


@pytest.mark.parametrize("arch", ARCHES_BOTH)
@pytest.mark.parametrize("name", NAMES)
def test_a_trace_has_every_event_and_all_that_the_run_was(
    tmp_path: Path, name: str, arch: str
) -> None:
    path = tmp_path / "run.l4trace"
    seen: list[Event] = []
    done = record(path, name, arch=arch, listener=lambda names, event: seen.append(event))
    scenario = load_scenario(name, arch=arch)

    with open_trace(path) as trace:
        assert [stamped.event for stamped in trace.events()] == seen
        assert trace.head.images == load_programs(scenario)
        assert trace.names().objects == done.names.objects
        assert trace.names().given == done.names.given
        assert trace.names().images == done.names.images
        assert trace.ending is not None
        assert trace.ending == Ending(
            outcome=done.outcome,
            engine=done.engine,
            events=len(seen),
            cycles=done.cycles,
            instructions=done.instructions,
            messages=done.messages,
            invocations=done.invocations,
            trace_hash=done.trace_hash,
        )
        again = trace.scenario()
        tasks = [
            replace(task, image=ours.image)
            for task, ours in zip(again.tasks, scenario.tasks, strict=True)
        ]
        assert replace(again, tasks=tuple(tasks), path=scenario.path) == scenario
    assert [file.name for file in tmp_path.iterdir()] == ["run.l4trace"]


@pytest.mark.parametrize("arch", ARCHES_BOTH)
def test_recording_changes_nothing(tmp_path: Path, arch: str) -> None:
    recorded = record(tmp_path / "t", "hidden_ipc", arch=arch)
    alone = run_scenario("hidden_ipc", arch=arch)

    assert recorded.trace_hash == alone.trace_hash
    assert (recorded.cycles, recorded.last) == (alone.cycles, alone.last)


def test_two_recordings_of_a_run_are_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        record(tmp_path / name, "faq_nested_call")

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("arch", ARCHES_BOTH)
def test_chunks_are_full_but_the_last_and_say_what_is_in_them(
    tmp_path: Path, arch: str
) -> None:
    done = record(tmp_path / "t", "pingpong_forever_4", arch=arch, cycles=6_000_000)

    with open_trace(tmp_path / "t") as trace:
        sizes = [chunk.records for chunk in trace.chunks]
        assert len(sizes) > 2
        assert set(sizes[:-1]) == {CHUNK}
        assert trace.chunks[-1].digest == done.trace_hash
        assert sum(1 for _ in trace.events()) == len(trace) == sum(sizes)


@pytest.mark.parametrize("arch", ARCHES_BOTH)
def test_a_message_of_four_words_takes_less_than_200_bytes(tmp_path: Path, arch: str) -> None:
    done = record(tmp_path / "t", "pingpong_forever_4", arch=arch, cycles=10_000_000)

    assert done.messages > 8_000
    assert (tmp_path / "t").stat().st_size < done.messages * 200


def test_four_random_words_take_less_than_200_bytes_too(tmp_path: Path) -> None:
    # As ill compressible as messages can be: all words are different all the time.
    random = Random(1)
    head = head_of("faq_nested_call")
    count = 20_000
    with TraceWriter(tmp_path / "t") as writer:
        writer.begin(head)
        for k in range(count // CHUNK + 1):
            words: list[int] = []
            for j in range(CHUNK):
                # With the thread switch that comes with each.
                at = k * CHUNK + j
                tail = [random.getrandbits(64) for _ in range(8)]
                words += [1 | 20 << 8, at, at, 5, 7, 3, 9, 4, 0x1234, 0, 0x40001, 0x40002]
                words += [*tail, 6 | 5 << 8, at, at, 5, 7]
            writer.take(b"".join(word.to_bytes(8, "little") for word in words))
            writer.close(CHUNK, 0, 0, at, at, "0" * 32)

    size = (tmp_path / "t.partial").stat().st_size
    assert size < (count // CHUNK + 1) * CHUNK * 200


def head_of(name: str) -> Head:
    scenario = load_scenario(name)
    return Head(
        scenario_name=name,
        scenario=scenario.text,
        arch=ARCHES["amd64"],
        budget=1000,
        model="flat",
        cpu_khz=1000,
        images=load_programs(scenario),
        objects={0: "kernel"},
        threads={},
    )


def test_a_trace_is_identified_as_its_run_is() -> None:
    head = head_of("faq_nested_call")

    assert head.identity() == Identity(
        "amd64", "flat", tuple(image.digest for image in head.images.values())
    )


@pytest.mark.parametrize("arch", ARCHES_BOTH)
def test_marks_find_the_first_event_at_or_after_them(tmp_path: Path, arch: str) -> None:
    record(tmp_path / "t", "pingpong_forever_4", arch=arch, cycles=6_000_000)

    with open_trace(tmp_path / "t") as trace:
        events = [stamped.event for stamped in trace.events()]
        random = Random(arch)
        for _ in range(50):
            position = random.randrange(events[-1].position + 10)
            cycle = random.randrange(events[-1].cycle + 10)
            expected = [
                next((k for k, e in enumerate(events) if e.position >= position), len(events)),
                next((k for k, e in enumerate(events) if e.cycle >= cycle), len(events)),
            ]
            found = [trace.find(Mark(Clock.POSITION, position))]
            found += [trace.find(Mark(Clock.CYCLE, cycle))]
            assert found == expected
        assert trace.find(Mark(Clock.EVENT, 77)) == 77


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("1154", Mark(Clock.POSITION, 1154)),
        ("1,154", Mark(Clock.POSITION, 1154)),
        ("cycle:1_000", Mark(Clock.CYCLE, 1000)),
        ("event:0", Mark(Clock.EVENT, 0)),
    ],
)
def test_marks_are_written_so(text: str, mark: Mark) -> None:
    assert parse_mark(text) == mark


@pytest.mark.parametrize("text", ["", "-1", "cycle:", "tick:3", "1.5", "0x10", "9" * 50])
def test_anything_else_is_no_mark(text: str) -> None:
    with pytest.raises(ValueError, match="expected a position such as"):
        parse_mark(text)


def test_events_of_one_object_are_those_that_concern_it(tmp_path: Path) -> None:
    record(tmp_path / "t", "faq_nested_call")

    with open_trace(tmp_path / "t") as trace:
        (notifier, *_) = trace.threads()
        every = list(trace.events())
        fields = ("sender", "receiver", "thread", "target", "irq", "previous", "next")
        expected = [s for s in every if notifier in [getattr(s.event, f, None) for f in fields]]
        assert list(trace.events(concerning=notifier)) == expected
        assert 0 < len(expected) < len(every)


def test_the_words_of_an_event_of_the_end_are_found_by_its_number(tmp_path: Path) -> None:
    record(tmp_path / "t", "faq_nested_call")

    with open_trace(tmp_path / "t") as trace:
        every = [stamped.event for stamped in trace.events()]
        assert trace.event(len(trace) - 1) == every[-1]
        assert [s.event for s in trace.events(5, 9)] == every[5:9]
        assert list(trace.events(9, 9)) == []


def test_a_trace_that_grows_too_large_is_cut_and_says_where(tmp_path: Path) -> None:
    limit = 1 << 18
    path = tmp_path / "t"
    done = record(path, "pingpong_forever_63", cycles=30_000_000, limit=limit)

    assert path.stat().st_size <= limit
    with open_trace(path) as trace:
        assert trace.truncated == len(trace) > 0
        assert trace.ending is not None
        assert trace.ending.events > len(trace)
        assert trace.ending.trace_hash == done.trace_hash
        assert repeat(trace).difference is None


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_run_that_is_cut_off_leaves_what_was_recorded(tmp_path: Path, at: int) -> None:
    path = tmp_path / "t"
    seen = 0

    def stop(names: object, event: Event) -> None:
        nonlocal seen
        seen += 1
        if seen == at * CHUNK + 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(path, "pingpong_forever_4", cycles=20_000_000, listener=stop)

    assert not path.exists()
    with open_trace(tmp_path / "t.partial") as trace:
        assert (len(trace), trace.ending, trace.truncated) == (at * CHUNK, None, None)
        again = repeat(trace)
        assert (again.events, again.difference) == (at * CHUNK, None)


def test_an_older_trace_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "t"
    record(path, "latent")
    old = path.read_bytes()

    def stop(names: object, event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(path, "faq_nested_call", listener=stop)
    assert path.read_bytes() == old

    record(path, "faq_nested_call")
    with open_trace(path) as trace:
        assert trace.head.scenario_name == "faq_nested_call"
    assert [file.name for file in tmp_path.iterdir()] == ["t"]


def test_a_scenario_that_cannot_be_booted_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('title = "bad"\narch = "amd64"\n[[task]]\nname = "a"\nimage = "a.s"\n')
    (tmp_path / "a.s").write_text("_start: jmp nowhere\n")

    with pytest.raises(GuestError, match="nowhere"):
        record(tmp_path / "t", path)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.s", "bad.toml"]


def test_a_file_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with TraceWriter(path), pytest.raises(GuestError, match="written by another process"):
        TraceWriter(path)


@pytest.mark.parametrize("name", ["", "no/such/folder/t", "nul\0"])
def test_a_file_that_cannot_be_written_is_an_error_before_the_run(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(GuestError, match="cannot write this trace: "):
        TraceWriter(tmp_path / name)


def test_no_room_on_the_disk_is_one_error(tmp_path: Path) -> None:
    script = f"""
import resource, signal, sys
from tests.lab.recording import record
from guest.errors import GuestError
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, 1 << 17))
try:
    record(Path({str(tmp_path / "t")!r}), "pingpong_forever_63", cycles=20_000_000)
except GuestError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )

    assert done.stdout.startswith(f"{tmp_path}/t: cannot write this trace: "), done.stderr
    with open_trace(tmp_path / "t.partial") as trace:
        assert repeat(trace).difference is None


@pytest.mark.parametrize("seed", range(6))
def test_a_killed_writer_leaves_a_trace_of_what_it_wrote(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "t"
    partial = tmp_path / "t.partial"
    child = subprocess.Popen(
        [sys.executable, "-m", "lab.cli", "run", "pingpong_forever_63", "--quiet", "--no-check"]
        + ["--cycles", "1000000000", "--trace", str(path)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        # Somewhere between the first chunk and a dozen further ones.
        while not (partial.exists() and partial.stat().st_size > 100_000):
            assert child.poll() is None, "it ended by itself"
            time.sleep(0.002)
        time.sleep(Random(seed).random() / 2)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()

    assert not path.exists()
    with open_trace(partial) as trace:
        assert trace.ending is None
        assert len(trace) >= CHUNK
        assert sum(1 for _ in trace.events()) == len(trace)
        if seed == 0:
            assert repeat(trace).difference is None


def test_a_transaction_that_was_cut_off_is_undone(tmp_path: Path) -> None:
    # As a killed process leaves it: pages are written, the journal is there.
    path = tmp_path / "t"
    record(path, "faq_nested_call")
    whole = path.read_bytes()
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA cache_size = 1")
    database.execute("BEGIN")
    database.execute("DELETE FROM object")
    database.execute("UPDATE head SET scenario = hex(randomblob(40000))")
    copy, journal = tmp_path / "c", tmp_path / "c-journal"
    copy.write_bytes(path.read_bytes())
    journal.write_bytes((tmp_path / "t-journal").read_bytes())
    database.close()
    assert copy.read_bytes()[: len(whole)] != whole

    with open_trace(copy) as trace:
        assert len(trace) == 40
    assert copy.read_bytes() == whole
    assert not journal.exists()


def test_a_trace_that_is_being_written_says_so(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        writer.begin(head_of("latent"))
        with pytest.raises(GuestError, match="this trace is still being written"):
            open_trace(tmp_path / "t.partial")


def test_reading_needs_none_of_what_runs_guests(tmp_path: Path) -> None:
    path = tmp_path / "t"
    record(path, "faq_nested_call-c-O2")
    for command in (
        ["show", str(path)],
        ["query", str(path), "transfers"],
        ["export", str(path), "--perfetto", os.devnull, "--jsonl", os.devnull],
    ):
        blocked = "".join(
            f"sys.modules[{name!r}] = None\n"
            for name in ("unicorn", "keystone", "capstone", "elftools", "emu", "lab.replay")
        )
        script = (
            f"import sys\n{blocked}from lab import cli\nsys.argv[1:] = {command}\ncli.main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            # Far from every file that was there when it was recorded.
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_encoded_events_fit_what_a_reader_takes() -> None:
    # The longest there are.
    words = tuple(range(63))
    longest: list[Event] = [
        Transfer(1, 1, 1, 1, 1, 1, 63, 1, 0, 1, 1, bytes(504), bytes(504)),
        Invocation(1, 1, 1, 1, 1, 1, words, 1, words, words, 1),
        Log(1, 1, 1, bytes(504), 1),
    ]
    assert max(len(encode(event, 8)) for event in longest) < 256
