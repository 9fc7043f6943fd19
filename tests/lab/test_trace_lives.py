"""Lives of messages in a trace: from birth to death, whose they were, and nested ones."""

import sqlite3
from pathlib import Path
from random import Random

import pytest

from guest.errors import GuestError
from lab.run import run_scenario
from lab.trace.lives import LIVES, Life, Way, pack, unpack
from lab.trace.reader import open_trace
from lab.trace.writer import TraceWriter
from tests.lab.recording import record


def record_checked(path: Path, name: str, arch: str) -> None:
    with TraceWriter(path) as writer:
        run_scenario(name, arch=arch, trace=writer)


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_the_nested_message_lives_inside_the_one_that_it_overwrites(
    tmp_path: Path, arch: str
) -> None:
    path = tmp_path / "run.l4trace"
    record_checked(path, "faq_nested_call", arch)

    with open_trace(path) as trace:
        assert trace.is_checked
        names = trace.names()
        numbers = {names.of(number): number for number in trace.threads()}
        server = sorted(trace.lives(thread=numbers["server"]), key=lambda life: life.born)
        told = [
            (life.way.name, names.of(life.partner), life.words, life.owner) for life in server
        ]
    assert told == [
        ("IN", "client", 2, "_start"),
        ("IN", "client", 2, "_start"),
        ("IN", "client", 2, "_start"),
        ("OUT", "notifier", 2, "notify_my_other_server"),
        ("IN", "notifier", 2, "notify_my_other_server"),
        ("OUT", "client", 1, "_start"),
    ]
    request, nested, answer, reply = server[2:]
    ends = [life.died or 0 for life in (nested, answer, request)]
    assert request.born < nested.born < ends[0] == answer.born < ends[1] < ends[2]
    assert request.depth < nested.depth == answer.depth
    assert reply.died is None  # the server waits for ever


def test_findings_name_the_messages_by_the_numbers_that_their_lives_have(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.l4trace"
    with TraceWriter(path) as writer:
        done = run_scenario("faq_nested_call", trace=writer)

    (finding,) = done.findings
    assert finding.message is not None
    with open_trace(path) as trace:
        lives = {f"M{life.message}": life for life in trace.lives()}
        names = trace.names()
    life = lives[finding.message.id]
    assert (life.born, life.died, life.owner, life.cycle) == (
        finding.message.born,
        finding.message.died,
        finding.message.owner,
        finding.message.cycle,
    )
    assert names.of(life.partner) == finding.message.sender


def test_a_part_of_a_run_has_the_messages_that_were_alive_in_it(tmp_path: Path) -> None:
    path = tmp_path / "run.l4trace"
    record_checked(path, "faq_nested_call", "amd64")

    with open_trace(path) as trace:
        every = list(trace.lives())
        for first, last in ((0, 0), (330, 340), (700, 700), (10_000, 20_000)):
            assert list(trace.lives(first, last)) == [
                life
                for life in every
                if life.born <= last and (life.died is None or life.died >= first)
            ]


def test_a_run_that_nobody_checked_has_no_lives_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run.l4trace"
    record(path, "faq_nested_call")

    with open_trace(path) as trace:
        assert (list(trace.lives()), trace.is_checked) == ([], False)


def test_lives_come_back_as_they_were_packed() -> None:
    random = Random(7)
    lives = []
    for _ in range(500):
        born = random.getrandbits(62)
        lives.append(
            Life(
                message=random.getrandbits(40),
                thread=random.randrange(1 << 31),
                partner=random.randrange(1 << 31),
                way=random.choice(list(Way)),
                born=born,
                cycle=random.getrandbits(63),
                died=random.choice((None, born, born + random.getrandbits(60))),
                words=random.randrange(64),
                depth=random.randrange(1 << 16),
                owner=f"function{random.randrange(9)}",
            )
        )
    owners: dict[str, int] = {}
    packed = pack(lives, owners)

    assert unpack(packed.data, packed.records, list(owners)) == lives
    assert packed.born == min(life.born for life in lives)
    with pytest.raises(ValueError, match="499 lives"):
        unpack(packed.data, packed.records - 1, list(owners))
    with pytest.raises(ValueError, match="makes no sense"):
        unpack(packed.data, packed.records, list(owners)[:-1])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE life SET data = x'00'", "lives 0"),
        (f"UPDATE life SET records = {LIVES + 1}", "lives 0: their row"),
        ("UPDATE life SET died = -1", "lives 0: their row"),
        ("UPDATE owner SET number = number + 100", "its owners are not numbered"),
        ("DELETE FROM owner", "lives 0"),
    ],
)
def test_damaged_lives_are_one_error(tmp_path: Path, change: str, what: str) -> None:
    path = tmp_path / "run.l4trace"
    record_checked(path, "faq_nested_call", "amd64")
    database = sqlite3.connect(path)
    database.execute(change)
    database.commit()
    database.close()

    with (
        pytest.raises(GuestError, match=f"this trace is damaged: {what}"),
        open_trace(path) as trace,
    ):
        list(trace.lives())
