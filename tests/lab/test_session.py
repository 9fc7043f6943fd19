"""Sessions: a test calls servers through a thread of its own, and the run repeats."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.errors import GuestError
from guest.host import (
    SLEEP_FOREVER,
    HostCall,
    decode,
    dump_calls,
    encode,
    encode_timeout,
    load_calls,
)
from guest.scenario import load_scenario
from kernel.abi import IpcError
from kernel.errors import UsageError
from lab.messages import Message
from lab.replay.again import repeat
from lab.replay.stored import find_mismatch, timeline_of
from lab.replay.timeline import Timeline
from lab.run import run_scenario
from lab.session import CallFailed, NoAnswer, Session, boot
from lab.trace.reader import open_trace
from lab.trace.writer import TraceWriter
from tests.lab.cli import CommandLine

ARCHES = ("amd64", "ia32")
DOUBLE = 0x1001

# A server that takes one message and never answers; then it faults.
DEAF = """
.include "l4.inc"
.text
_start:
    own_utcb rbx
    l4_open_wait
    mov rax, qword ptr [0]
"""
DEAF_SCENARIO = """
title = "a server that dies of its first request"
arch  = "amd64"
[[task]]
name  = "server"
image = "deaf.s"
[[gate]]
name   = "deaf"
thread = "server"
label  = 0x10
"""


@pytest.fixture
def deaf(tmp_path: Path) -> Path:
    (tmp_path / "deaf.s").write_text(DEAF)
    path = tmp_path / "deaf.toml"
    path.write_text(DEAF_SCENARIO)
    return path


def double(session: Session, number: int) -> Message:
    return session.call("doubler", 7, number, label=DOUBLE)


@pytest.mark.parametrize("arch", ARCHES)
def test_a_call_is_answered_as_a_client_is(arch: str) -> None:
    with boot("faq_read_first", arch=arch) as session:
        answer = double(session, 21)

        assert answer == Message("server", "python", "reply_and_wait", words=(42,))
        assert session.messages[-1] is answer
        assert [message.sender for message in session.messages[-4:]] == [
            "python",
            "server",
            "notifier",
            "server",
        ]
        assert session.memory("client.result") == 84
        assert session.findings == ()


@pytest.mark.parametrize("arch", ARCHES)
def test_what_a_call_sees_is_what_the_checker_reports(arch: str) -> None:
    with boot("faq_nested_call", arch=arch) as session:
        answers = [double(session, number).words for number in (1, 2, 3)]
        (finding,) = session.findings

    assert answers == [(14,)] * 3
    assert (finding.rule, finding.thread, finding.register) == (
        "stale-read",
        "server",
        "mr[1]",
    )
    assert finding.count == 4  # the client's, and these


@pytest.mark.parametrize("arch", ARCHES)
def test_the_calls_alone_repeat_a_session(arch: str, tmp_path: Path) -> None:
    with boot("faq_nested_call", arch=arch) as session:
        double(session, 5)
        session.sleep(3)
        session.send("notifier", 9, 1, label=0x1002)
        done = session.finish()
        calls = tmp_path / "calls"
        calls.write_text(dump_calls(tuple(session.calls)))
        messages = session.messages

    scenario = replace(load_scenario("faq_nested_call", arch=arch), host=load_calls(calls))
    unchecked = run_scenario(scenario, check=False)
    assert unchecked.trace_hash == done.trace_hash
    assert done.messages == len(messages)
    assert done.trace_hash != run_scenario("faq_nested_call", arch=arch).trace_hash


def test_other_words_in_a_call_make_another_run() -> None:
    hashes = []
    for number in (1, 2, 2):
        with boot("faq_read_first") as session:
            double(session, number)
            hashes.append(session.finish().trace_hash)
    assert hashes[0] != hashes[1] == hashes[2]


def test_a_recorded_session_is_repeated_from_its_trace(tmp_path: Path) -> None:
    with boot("faq_nested_call") as session:
        double(session, 5)
        done = session.finish()
        with TraceWriter(tmp_path / "trace") as writer:
            run_scenario(session.repeatable(), trace=writer)

    with open_trace(tmp_path / "trace") as trace:
        assert trace.scenario().host == tuple(session.calls)
        again = repeat(trace)
        timeline = timeline_of(trace)
        timeline.seek_end()
        assert find_mismatch(timeline, trace) is None
        timeline.close()
    assert (again.difference, again.trace_hash) == (None, done.trace_hash)


@pytest.mark.parametrize("arch", ARCHES)
def test_a_timeline_goes_back_through_the_calls_of_a_session(arch: str) -> None:
    with boot("faq_nested_call", arch=arch) as session:
        double(session, 5)
        double(session, 6)
        session.finish()
        timeline = Timeline(session.repeatable())
    end = timeline.seek_end()
    seen = [timeline.digest()]
    for position in range(timeline.position - 40, timeline.position):
        timeline.seek(position)
        seen.append(timeline.digest())
    events = len(timeline.log)
    timeline.seek(0)
    assert timeline.seek_end() == end
    assert len(timeline.log) == events
    again = [timeline.digest()]
    timeline.step(-40)
    for _ in range(40):
        again.append(timeline.digest())
        timeline.step()
    assert again == seen
    timeline.close()


def test_time_goes_by_in_a_sleep_and_nowhere_else() -> None:
    with boot("irq_server") as session:
        session.call("server")
        first = session.memory("server.ticks")
        session.memory("server.ticks")
        session.sleep(2_000)
        assert (first, session.memory("server.ticks")) == (0, 3)
        session.trigger("timer")
        assert session.call("server").words == (4,)


def test_a_server_that_dies_does_not_answer(deaf: Path) -> None:
    with boot(deaf) as session:
        with pytest.raises(NoAnswer) as caught:
            session.call("deaf", 1)
        assert str(caught.value).startswith("gate:deaf did not answer: fault at cycle ")
        with pytest.raises(UsageError, match="the run is over"):
            session.call("deaf", 1)
        assert session.calls[-1].words == (1,)
        assert session.finish().outcome == "fault"


def test_a_call_that_the_kernel_ends_says_how(deaf: Path) -> None:
    with boot(deaf) as session:
        with pytest.raises(CallFailed) as caught:
            session.call("deaf", timeout_us=50)
        assert (caught.value.error, str(caught.value)) == (
            IpcError.RECEIVE_TIMEOUT,
            "the call of gate:deaf failed with IPC error 3, receive timeout",
        )
        with pytest.raises(CallFailed) as again:
            session.send("deaf", timeout_us=50)
        assert again.value.error is IpcError.NOT_EXISTENT  # it is dead


def test_a_budget_ends_a_call() -> None:
    with boot("faq_nested_call", cycles=5_000) as session:
        with pytest.raises(
            NoAnswer, match="gate:doubler did not answer: budget at cycle 6,032"
        ):
            double(session, 1)
        assert session.finish().outcome == "budget"


@pytest.mark.parametrize(
    ("gate", "words", "label", "message"),
    [
        ("dubler", (), 0, 'the scenario has no gate "dubler" (did you mean "doubler"?)'),
        ("doubler", range(64), 0, "64 words, a message has at most 63"),
        ("doubler", (1 << 32,), 0, "0x100000000 is no word of 32 bits"),
        ("doubler", (), 1 << 15, "label 0x8000 does not fit into a tag of 32 bits"),
    ],
)
def test_a_wrong_call_is_refused_and_nothing_happens(
    gate: str, words: tuple[int, ...], label: int, message: str
) -> None:
    with boot("faq_read_first", arch="ia32") as session:
        with pytest.raises(UsageError) as caught:
            session.call(gate, *words, label=label)
        assert (str(caught.value), session.calls, session.messages) == (message, [], ())


@pytest.mark.parametrize("where", ["result", "klient.result", "client."])
def test_a_wrong_place_in_memory_is_refused(where: str) -> None:
    with boot("faq_read_first") as session:
        with pytest.raises(UsageError, match=r"TASK\.SYMBOL with a task of notifier, server"):
            session.memory(where)
        with pytest.raises(GuestError, match="neither a symbol"):
            session.memory("client.resullt")


def test_a_task_cannot_have_the_name_of_the_tests(deaf: Path) -> None:
    text = deaf.read_text().replace('"server"', '"python"')
    deaf.write_text(text)
    assert run_scenario(deaf).outcome == "idle"
    with pytest.raises(GuestError, match="the task that calls from a test"):
        boot(deaf)


def test_the_command_line_repeats_a_session(l4lab: CommandLine, tmp_path: Path) -> None:
    with boot("faq_read_first") as session:
        double(session, 5)
        done = session.finish()
    calls = tmp_path / "x.calls"
    calls.write_text(dump_calls(tuple(session.calls)))

    for command in ("run", "check", "trace"):
        ran = l4lab(command, "faq_read_first", "--calls", str(calls))
        assert done.trace_hash in ran.out
    said = l4lab(
        "why", "faq_read_first", "server", "mr[1]", "--at", "1163", "--calls", str(calls)
    )
    assert "given by the test = 0x5" in said.out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("host-call gate:nobody 0x3 0x0 0x0", "call 0 is of gate:nobody"),
        ("host-call gate:doubler 0x3 0x0", "x.calls:1: no call of the host"),
        ("host-call gate:doubler 0x3 0x1ffffffff 0x0", "call 0 has a word that ia32"),
        ("\x1b[31m", "x.calls:1: no call of the host: '\\x1b[31m'"),
    ],
)
def test_a_wrong_file_of_calls_is_one_error(
    l4lab: CommandLine, tmp_path: Path, line: str, message: str
) -> None:
    calls = tmp_path / "x.calls"
    calls.write_text(line + "\n")
    ran = l4lab("run", "faq_read_first", "--arch", "ia32", "--calls", str(calls))
    assert (ran.code, ran.out) == (3, "")
    assert message in ran.err


words = st.integers(0, (1 << 64) - 1)
calls = st.builds(
    HostCall,
    st.sampled_from(["self", "gate:a", "irq:b-c", "semaphore:d_1"]),
    st.integers(0, 15),
    words,
    st.integers(0, (1 << 32) - 1),
    st.lists(words, max_size=63).map(tuple),
)


@given(calls)
def test_a_call_is_read_as_it_was_written(call: HostCall) -> None:
    assert decode(encode(call)) == call


@given(st.text(max_size=60))
def test_any_text_is_a_call_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert encode(decode(text)) == text


def test_the_last_call_is_that_no_more_comes() -> None:
    assert decode("host-call self 0x2 0x0 0x0") == SLEEP_FOREVER


@given(st.integers(1, 1 << 40))
def test_a_timeout_is_not_shorter_and_at_most_a_thousandth_longer(microseconds: int) -> None:
    half = encode_timeout(microseconds)
    said = (half & 0x3FF) << (half >> 10)
    assert microseconds <= said <= microseconds + microseconds // 500


# -- programs instead of a scenario ----------------------------------------------

PROGRAMS = (
    *("--image", "notifier=amd64/faq_notifier.s", "--image", "server=amd64/SERVER.s"),
    *("--image", "client=amd64/faq_client.s", "--gate", "doubler=server"),
    *("--gate", "notifier"),
)


def programs(server: str) -> list[str]:
    return [word.replace("SERVER", server) for word in PROGRAMS]


def test_programs_run_without_a_scenario(l4lab: CommandLine, tmp_path: Path) -> None:
    clean = l4lab("run", *programs("faq_read_first"))
    assert clean.code == 0
    assert "client: sent 42, got 84 (84 expected)" in clean.out

    guilty = l4lab("check", *programs("faq_nested_call"))
    assert guilty.code == 1
    (why,) = [line for line in guilty.out.splitlines() if line.startswith("WHY")]
    words = why.split()[1:]
    assert words[:2] == ["l4lab", "explain"]
    assert "dispatch" in l4lab(*words[1:]).out

    trace = tmp_path / "trace"
    assert l4lab("run", *programs("faq_read_first"), "--trace", str(trace)).code == 0
    assert l4lab("replay", str(trace)).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "expected a SCENARIO, or programs given by --image"),
        (("faq_read_first", "--image", "a=b"), "expected a SCENARIO, or programs"),
        (("faq_read_first", "--gate", "a"), "--gate and --entry go with --image"),
    ],
)
def test_programs_and_a_scenario_exclude_each_other(
    l4lab: CommandLine, words: tuple[str, ...], message: str
) -> None:
    ran = l4lab("run", *words)
    assert (ran.code, ran.out) == (3, "")
    assert message in ran.err
