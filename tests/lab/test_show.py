"""What the commands about recorded traces print and write."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from guest.scenario import load_scenario
from kernel.events import End, Switch, Transfer
from lab.replay.again import repeat
from lab.replay.system import load_programs
from lab.trace.format import CHUNK
from lab.trace.reader import open_trace
from lab.trace.writer import TraceWriter
from tests.lab.cli import CommandLine
from tests.lab.recording import record

ARCHES = ["amd64", "ia32"]


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", ["faq_nested_call", "debugger_names", "irq_server"])
def test_show_prints_what_trace_prints(
    l4lab: CommandLine, tmp_path: Path, name: str, arch: str
) -> None:
    path = str(tmp_path / "t")
    assert l4lab("run", name, "--arch", arch, "--trace", path).code == 0
    live = l4lab("trace", name, "--arch", arch).out.splitlines()

    shown = l4lab("show", path)

    assert shown.code == 0
    lines = shown.out.splitlines()
    begin = lines.index(live[0])
    # What follows the events of a run is its result.
    assert lines[begin:] == live[: len(lines) - begin]
    assert " end: idle" in lines[-1]
    quiet = l4lab("show", path, "--quiet").out.splitlines()
    quiet = quiet[quiet.index(live[0]) :]
    live_quiet = l4lab("trace", name, "--arch", arch, "--quiet").out.splitlines()
    assert quiet == live_quiet[: len(quiet)]


@pytest.mark.parametrize("arch", ARCHES)
def test_findings_are_stored_as_they_are_reported(
    l4lab: CommandLine, tmp_path: Path, arch: str
) -> None:
    path = str(tmp_path / "t")
    run = json.loads(
        l4lab("run", "faq_nested_call", "--arch", arch, "--json", "--trace", path).out
    )

    value = json.loads(l4lab("show", path, "--json").out)

    assert len(run["findings"]) == 1
    assert value["trace"]["findings"] == run["findings"]
    assert l4lab("show", path).out.splitlines()[2] == (
        "  F1  confirmed  stale-read  server  mr[1]"
    )


def test_a_run_that_nobody_checked_has_no_findings(l4lab: CommandLine, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    l4lab("run", "faq_nested_call", "--no-check", "--trace", path)

    assert json.loads(l4lab("show", path, "--json").out)["trace"]["findings"] == []


def test_show_prints_a_part(l4lab: CommandLine, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    record(tmp_path / "t", "faq_nested_call")
    value = json.loads(l4lab("show", path, "--json").out)
    events = value["events"]

    def shown(*arguments: str) -> list[int]:
        part = json.loads(l4lab("show", path, "--json", *arguments).out)
        return [event["sequence"] for event in part["events"]]

    assert shown() == list(range(40))
    assert shown("--from", "event:7", "--to", "event:9") == [7, 8, 9]
    assert shown("--from", "cycle:7652", "--to", "cycle:8771") == [
        e["sequence"] for e in events if 7652 <= e["cycle"] <= 8771
    ]
    assert shown("--from", "615", "--to", "829") == [
        e["sequence"] for e in events if 615 <= e["position"] <= 829
    ]
    assert shown("--from", "event:7", "--limit", "2") == [7, 8]
    assert shown("--from", "event:9999") == []
    notifier = shown("--thread", "notifier")
    assert notifier == [e["sequence"] for e in events if "notifier" in e.values()]
    limited = l4lab("show", path, "--limit", "3").out.splitlines()
    assert limited[-1] == "and more: --from event:3"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "soon"), "expected a position such as 1154, or cycle:N, or event:N"),
        (("--limit", "0"), "0 is not in the range"),
        (("--thread", "servr"), "no thread 'servr' (did you mean \"server\"?)"),
        (("--thread", "4"), "no thread '4'"),
        (("--colour",), "No such option"),
    ],
)
def test_wrong_use_of_show_is_one_message(
    l4lab: CommandLine, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    record(tmp_path / "t", "faq_nested_call")

    called = l4lab("show", str(tmp_path / "t"), *arguments)

    assert (called.code, called.out) == (3, "")
    assert message in called.err
    assert called.err.count("\n") == 1


def test_run_says_what_it_recorded(l4lab: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "t"
    called = l4lab("run", "faq_nested_call", "--trace", str(path))
    size = path.stat().st_size
    assert called.out.splitlines()[-1] == f"recorded 40 events in {path}, {size:,} bytes"

    value = json.loads(l4lab("run", "faq_nested_call", "--json", "--trace", str(path)).out)
    assert value["trace"] == {
        "file": str(path),
        "events": 40,
        "truncated": None,
        "bytes": size,
    }


def test_run_says_that_a_trace_is_cut(l4lab: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "t"
    arguments = ["run", "pingpong_forever_63", "--no-check", "--cycles", "60000000", "--quiet"]
    called = l4lab(*arguments, "--trace", str(path), "--trace-limit", "1MiB")

    assert path.stat().st_size <= 1 << 20
    assert "recorded only the first " in called.out.splitlines()[-1]
    shown = l4lab("show", str(path), "--limit", "1").out
    assert "truncated: from event " in shown
    assert (
        json.loads(l4lab("show", str(path), "--json", "--limit", "1").out)["trace"]["complete"]
        is False
    )


@pytest.mark.parametrize("limit", ["1", "0", "-1", "many", "1023KiB", "1TiB"])
def test_a_limit_that_is_none_is_refused(
    l4lab: CommandLine, tmp_path: Path, limit: str
) -> None:
    called = l4lab("run", "latent", "--trace", str(tmp_path / "t"), "--trace-limit", limit)

    assert (called.code, called.out) == (3, "")
    assert "expected a size from 1MiB on" in called.err
    assert list(tmp_path.iterdir()) == []


def test_query_prints_a_line_for_each_event(l4lab: CommandLine, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    record(tmp_path / "t", "faq_nested_call")

    called = l4lab("query", path, "transfers where receiver='server' and mr[1]=7")

    assert called.code == 0
    assert [line.split() for line in called.out.splitlines()] == [
        ["event", "cycle", "position", "what"],
        ["29", "10,489", "829", "notifier", "→", "server", "reply_and_wait", "0x1", "0x7"],
    ]
    value = json.loads(l4lab("query", path, "transfers where mr[1]=7", "--json").out)
    assert [event["sequence"] for event in value["events"]] == [29]
    assert l4lab("query", path, "faults").out == "no such event\n"
    limited = l4lab("query", path, "transfers", "--limit", "1").out.splitlines()
    assert limited[-1] == "and more: --from event:5"


def test_a_wrong_query_is_shown_with_a_caret(l4lab: CommandLine, tmp_path: Path) -> None:
    record(tmp_path / "t", "faq_nested_call")

    called = l4lab("query", str(tmp_path / "t"), "transfers where words>'x'")

    assert (called.code, called.out) == (3, "")
    assert called.err == (
        "l4lab: query: character 23: > compares numbers only\n"
        "  transfers where words>'x'\n"
        "                        ^\n"
    )


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", ["faq_nested_call-c-O2", "page_fault_forever", "l4re_start"])
def test_a_replay_needs_the_trace_alone(
    l4lab: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    arch: str,
) -> None:
    path = tmp_path / "t"
    done = record(path, name, arch=arch)
    with open_trace(path) as trace:
        count = len(trace)
    # Programs and scenarios are nowhere to be found.
    monkeypatch.setattr("guest.scenario.PROGRAMS", tmp_path / "none")
    monkeypatch.setattr("guest.scenario.SCENARIOS", tmp_path / "none")
    monkeypatch.chdir(tmp_path)

    called = l4lab("replay", str(path))

    assert (called.code, called.err) == (0, "")
    assert called.out.splitlines()[-1] == (
        f"ok  {count:,} events are as recorded, in 1 chunk; trace {done.trace_hash}"
    )


def rewrite(path: Path, **changes: object) -> None:
    """Write a trace again as it is, but for parts of its head."""
    with open_trace(path) as trace:
        head, chunks, ending = trace.head, trace.chunks, trace.ending
        data = [trace.records(chunk) for chunk in chunks]
    assert ending is not None
    with TraceWriter(path) as writer:
        writer.begin(replace(head, **changes))  # type: ignore[arg-type]
        for chunk, records in zip(chunks, data, strict=True):
            writer.take(records)
            writer.close(
                chunk.records,
                chunk.kinds,
                chunk.objects,
                chunk.last_cycle,
                chunk.last_position,
                chunk.digest,
            )
        writer.finish(ending)


def test_the_first_difference_is_shown(l4lab: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "t"
    record(path, "faq_nested_call")
    with open_trace(path) as trace:
        recorded = [stamped.event for stamped in trace.events()]
    # As if its server had been another one.
    server = load_programs(load_scenario("faq_read_first"))["server"]
    rewrite(path, images={**trace.head.images, "server": server})

    with open_trace(path) as trace:
        done = repeat(trace)
    called = l4lab("replay", str(path))

    assert done.difference is not None
    at = done.difference.sequence
    assert done.difference.recorded == recorded[at]
    assert done.difference.repeated != recorded[at]
    assert done.events == at > 0
    assert called.code == 1
    lines = called.out.splitlines()
    assert lines[0] == f"DIFFERS  at event {at}; those before are as recorded"
    assert (lines[1], "repeated:" in lines) == ("recorded:", True)
    value = json.loads(l4lab("replay", str(path), "--json").out)
    assert (value["same"], value["difference"]["sequence"]) == (False, at)


@pytest.mark.parametrize("budget", [5_000_000, 7_000_000])
def test_a_run_that_is_shorter_or_longer_differs_where_one_ends(
    tmp_path: Path, budget: int
) -> None:
    path = tmp_path / "t"
    record(path, "pingpong_forever_4", cycles=6_000_000)
    rewrite(path, budget=budget)

    with open_trace(path) as trace:
        found = repeat(trace).difference
        last = len(trace) - 1
    assert found is not None
    if budget > 6_000_000:
        assert (found.sequence, type(found.recorded)) == (last, End)
        assert found.repeated is not None
    else:
        assert CHUNK < found.sequence < last
        assert isinstance(found.repeated, End)


def test_another_model_of_costs_is_said_once(l4lab: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "t"
    record(path, "faq_nested_call")
    rewrite(path, model="other-7")

    called = l4lab("replay", str(path))

    # Its costs are not in fact others.
    assert called.code == 0
    assert called.out.splitlines()[0].startswith("recorded with the model other-7, run with ")


@pytest.mark.parametrize("arch", ARCHES)
def test_jsonl_has_an_object_for_each_event(
    l4lab: CommandLine, tmp_path: Path, arch: str
) -> None:
    path = str(tmp_path / "t")
    record(tmp_path / "t", "faq_nested_call", arch=arch)
    live = json.loads(l4lab("trace", "faq_nested_call", "--arch", arch, "--json").out)

    called = l4lab("export", path, "--jsonl", str(tmp_path / "out"))

    assert (called.code, called.out) == (0, "")
    lines = (tmp_path / "out").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"sequence": k, **event} for k, event in enumerate(live["events"])
    ]


def test_a_diagram_has_the_messages_of_its_part(l4lab: CommandLine, tmp_path: Path) -> None:
    record(tmp_path / "t", "faq_nested_call")

    out = tmp_path / "out"
    arguments = ("--mermaid", str(out), "--from", "615", "--to", "839")
    assert l4lab("export", str(tmp_path / "t"), *arguments).code == 0

    assert out.read_text() == (
        "sequenceDiagram\n"
        "    participant t9 as client\n"
        "    participant t7 as server\n"
        "    participant t5 as notifier\n"
        "    t9->>t7: call doubler [0x7 0x2a]\n"
        "    t7->>t5: call notifier [0x9 0x3]\n"
        "    Note over t5: 'notifier#58; told 7 listeners'\n"
        "    t5->>t7: reply_and_wait [0x1 0x7]\n"
        "    t7->>t9: reply_and_wait [0xe]\n"
    )


@pytest.mark.parametrize("arch", ARCHES)
def test_chrome_s_json_has_an_arrow_for_each_message(
    l4lab: CommandLine, tmp_path: Path, arch: str
) -> None:
    record(tmp_path / "t", "faq_nested_call", arch=arch)
    out = tmp_path / "out.json"
    assert l4lab("export", str(tmp_path / "t"), "--perfetto", str(out)).code == 0

    with open_trace(tmp_path / "t") as trace:
        sent = [s for s in trace.events() if isinstance(s.event, Transfer)]
    events = json.loads(out.read_text())["traceEvents"]
    assert [e["cat"] for e in events if e.get("cat") == "finding"] == []
    starts = [e for e in events if e["ph"] == "s"]
    ends = [e for e in events if e["ph"] == "f"]
    expected = [(s.sequence, s.event.cycle / 1000) for s in sent]
    assert [(e["id"], e["ts"]) for e in starts] == expected
    assert [(e["id"], e["ts"]) for e in ends] == expected
    transfers = [s.event for s in sent if isinstance(s.event, Transfer)]
    assert [e["tid"] for e in starts] == [event.sender for event in transfers]
    assert [e["tid"] for e in ends] == [event.receiver for event in transfers]


def test_a_finding_is_a_point_of_its_thread(l4lab: CommandLine, tmp_path: Path) -> None:
    path, out = str(tmp_path / "t"), tmp_path / "out.json"
    l4lab("run", "faq_nested_call", "--trace", path)
    (finding,) = json.loads(l4lab("show", path, "--json").out)["trace"]["findings"]

    assert l4lab("export", path, "--perfetto", str(out)).code == 0

    events = json.loads(out.read_text())["traceEvents"]
    (point,) = [e for e in events if e.get("cat") == "finding"]
    assert (point["name"], point["ts"], point["tid"]) == (
        "F1 confirmed stale-read mr[1]",
        finding["cycle"] / 1000,
        7,
    )


def fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """Take a message of Protocol Buffers apart, independently of what wrote it."""
    found: list[tuple[int, int | bytes]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        match key & 7:
            case 0:
                found.append((key >> 3, varint()))
            case 1:
                found.append((key >> 3, int.from_bytes(data[at : at + 8], "little")))
                at += 8
            case 2:
                size = varint()
                assert at + size <= len(data)
                found.append((key >> 3, data[at : at + size]))
                at += size
            case other:
                raise AssertionError(f"wire type {other}")
    return found


@pytest.mark.parametrize("arch", ARCHES)
def test_perfetto_s_packets_have_tracks_spans_and_flows(
    l4lab: CommandLine, tmp_path: Path, arch: str
) -> None:
    record(tmp_path / "t", "faq_nested_call", arch=arch)
    out = tmp_path / "out.pftrace"
    assert l4lab("export", str(tmp_path / "t"), "--perfetto", str(out)).code == 0

    with open_trace(tmp_path / "t") as trace:
        events = [s.event for s in trace.events()]
    threads: dict[int, str] = {}  # by uuid
    begun = ended = 0
    leaving: dict[int, tuple[int, str]] = {}
    arriving: dict[int, tuple[int, str]] = {}
    for tag, packet in fields(out.read_bytes()):
        assert (tag, type(packet)) == (1, bytes)
        assert isinstance(packet, bytes)
        parts = dict(fields(packet))
        assert parts[10] == 1
        if isinstance(descriptor := parts.get(60), bytes):
            track = dict(fields(descriptor))
            if isinstance(thread := track.get(4), bytes):
                name = dict(fields(thread))[5]
                assert isinstance(name, bytes)
                uuid = track[1]
                assert isinstance(uuid, int)
                threads[uuid] = name.decode()
            continue
        event = parts[11]
        at = parts[8]
        assert isinstance(event, bytes)
        assert isinstance(at, int)
        found = dict(fields(event))
        track_uuid = found[11]
        assert isinstance(track_uuid, int)
        begun += found[9] == 1
        ended += found[9] == 2
        for flow, where in ((47, leaving), (48, arriving)):
            if isinstance(number := found.get(flow), int):
                where[number] = at, threads[track_uuid]
    transfers = [(k, e) for k, e in enumerate(events) if isinstance(e, Transfer)]
    names = {5: "notifier", 7: "server", 9: "client"}
    assert leaving == {k + 1: (e.cycle, names[e.sender]) for k, e in transfers}
    assert arriving == {k + 1: (e.cycle, names[e.receiver]) for k, e in transfers}
    switches = sum(isinstance(e, Switch) and e.next != 0 for e in events)
    assert begun == ended == switches


def test_export_wants_to_know_what(l4lab: CommandLine, tmp_path: Path) -> None:
    record(tmp_path / "t", "latent")

    called = l4lab("export", str(tmp_path / "t"))

    assert (called.code, called.out) == (3, "")
    assert "nothing to write: give --perfetto, --mermaid or --jsonl" in called.err


def test_an_output_that_cannot_be_written_is_one_error(
    l4lab: CommandLine, tmp_path: Path
) -> None:
    record(tmp_path / "t", "latent")

    called = l4lab("export", str(tmp_path / "t"), "--jsonl", str(tmp_path / "no" / "out"))

    assert (called.code, called.out) == (3, "")
    assert "cannot write this file: no such file or directory" in called.err
