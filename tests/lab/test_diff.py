"""Two runs compared: what each thread did, and the first message word that differs."""

import json
import sqlite3
from pathlib import Path

import pytest

from guest.errors import GuestError
from lab.alignment import align
from lab.replay.twin import record_twin, undo
from lab.run import run_scenario
from lab.trace.reader import open_trace
from lab.trace.writer import TraceWriter
from tests.lab.cli import CommandLine

ARCHES = ["amd64", "ia32"]


def test_a_run_is_compared_with_what_it_would_be_without_its_finding(
    l4lab: CommandLine,
) -> None:
    called = l4lab("diff", "faq_nested_call", "F1")

    assert called.code == 1
    assert called.out == (
        "DIFFERS  28 steps of 3 threads are alike\n"
        "A  faq_nested_call on amd64\n"
        "B  faq_nested_call on amd64, without F1\n"
        "server, call 4: sends to client: mr[0]\n"
        "                          A               B\n"
        "  mr[0]                 0xe            0x54  differs\n"
        "  tag                   0x1             0x1\n"
        "  operation  reply_and_wait  reply_and_wait\n"
        "  event                  31              31\n"
        "  position              839             839\n"
        "  cycle              11,664          11,664\n"
        "then client, call 9: gets from server: mr[0] 0xe, in B 0x54\n"
    )


@pytest.mark.parametrize("arch", ARCHES)
def test_the_guilty_server_and_its_innocent_twin_differ_in_the_reply(
    l4lab: CommandLine, arch: str
) -> None:
    called = l4lab("diff", "faq_nested_call", "faq_read_first", "--arch", arch, "--json")

    value = json.loads(called.out)
    assert (called.code, value["same"], value["partial"]) == (1, False, False)
    first = value["differences"][0]
    assert (first["thread"], first["field"], first["a"]["what"]) == (
        "server",
        "mr[0]",
        "sends to client",
    )
    assert (first["a"]["words"], first["b"]["words"]) == ({"mr[0]": "0xe"}, {"mr[0]": "0x54"})


@pytest.mark.parametrize("arch", ARCHES)
def test_a_run_is_the_same_as_itself(l4lab: CommandLine, tmp_path: Path, arch: str) -> None:
    trace = str(tmp_path / "t")
    assert l4lab("run", "irq_server", "--arch", arch, "--trace", trace).code == 0

    for a, b in ((trace, trace), ("irq_server", trace)):
        options = () if a == trace else ("--arch", arch)
        same = l4lab("diff", a, b, *options)
        assert same.code == 0
        assert same.out.startswith("same  ")
    assert l4lab("diff", trace, trace, "--arch", arch).code == 3


def test_a_message_comes_at_any_cycle_and_is_the_same(l4lab: CommandLine) -> None:
    # The C form needs other times and instructions for the same messages.
    value = json.loads(
        l4lab("diff", "faq_nested_call-c-O0", "faq_nested_call-c-O2", "--json").out
    )

    assert value["a"]["trace_hash"] != value["b"]["trace_hash"]
    assert value["same"], value["differences"]


def test_a_run_that_was_cut_is_compared_as_far_as_it_goes(
    l4lab: CommandLine, tmp_path: Path
) -> None:
    short, long = str(tmp_path / "short"), str(tmp_path / "long")
    for path, cycles in ((short, "20000"), (long, "90000")):
        l4lab("run", "pingpong_forever_4", "--cycles", cycles, "--trace", path)

    called = l4lab("diff", short, long)

    assert called.code == 0
    assert called.out.startswith("compared as far as both runs go: one was cut off\nsame  ")


def test_what_is_wrong_is_one_message(l4lab: CommandLine) -> None:
    for arguments, what in (
        (("faq_nested_call",), "give a second run, or a finding of the first such as F1"),
        (("faq_nested_call", "F1", "--counterfactual", "F1"), "one finding is enough"),
        (("faq_read_first", "F1"), "no finding 'F1': this run has none"),
    ):
        called = l4lab("diff", *arguments)
        assert (called.code, called.out) == (3, "")
        assert what in called.err


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", ["faq_nested_call", "log_in_reply"])
def test_a_twin_is_the_run_up_to_the_finding(tmp_path: Path, name: str, arch: str) -> None:
    path, other = tmp_path / "run.l4trace", tmp_path / "twin.l4trace"
    with TraceWriter(path) as writer:
        done = run_scenario(name, arch=arch, trace=writer)
    with open_trace(path) as trace, TraceWriter(other) as writer:
        record_twin(trace, undo(trace, "F1")[0], writer)

    position = done.findings[0].access.position
    with open_trace(path) as trace, open_trace(other) as twin:
        assert len(twin.head.variation) == 1
        for ours, theirs in zip(trace.events(), twin.events(), strict=False):
            if ours.event.position >= position - 1:
                break
            assert ours == theirs
        assert align(trace, twin).differences
        assert align(trace, twin).differences[0].position >= position - 1


def test_a_finding_that_says_nonsense_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "run.l4trace"
    with TraceWriter(path) as writer:
        run_scenario("faq_nested_call", trace=writer)
    for key, value in (("expected", "x"), ("size", -1), ("offset", 1 << 70), ("position", "p")):
        with sqlite3.connect(path) as database:
            (body,) = database.execute("SELECT body FROM finding").fetchone()
            changed = json.dumps({**json.loads(body), key: value})
            database.execute("UPDATE finding SET body = ?", (changed,))
        with open_trace(path) as trace, pytest.raises(GuestError, match="damaged: finding F1"):
            undo(trace, "F1")
        with sqlite3.connect(path) as database:
            database.execute("UPDATE finding SET body = ?", (body,))
