"""What people see of events: every word before and after, and no wrong colour in a pipe."""

import pytest

from kernel.abi import AMD64
from kernel.events import (
    Awoken,
    Event,
    Failure,
    Fate,
    Fault,
    Firing,
    Interrupt,
    Log,
    Named,
    Purpose,
    Refused,
    Remark,
    Switch,
    Transfer,
    Waiting,
)
from lab.names import Names, name_of_guest
from lab.views.text import describe_label, render_event

NAMES = Names(AMD64, {5: "server", 7: "client", 9: "doubler", 2: "log"})


def payload(*words: int) -> bytes:
    return b"".join(word.to_bytes(8, "little") for word in words)


def lines(event: Event) -> list[str]:
    return [line.plain for line in render_event(event, NAMES)]


def test_a_transfer_shows_all_words_of_both_sides() -> None:
    event = Transfer(
        1641,
        5,
        7,
        5,
        3,
        9,
        0x1001_0002,
        0xC0DE_0013,
        0,
        0x10,
        0x20,
        payload(1, 42),
        payload(0, 7),
    )
    assert lines(event) == [
        "       1,641          5  client → server  call through gate doubler",
        "                         tag 0x10010002: label 0x1001, 2 words; label 0xc0de0013",
        "                         from 0x10",
        "                         to 0x20",
        "                                client sent  server had  server has",
        "                         mr[0]          0x1         0x0         0x1",
        "                         mr[1]         0x2a         0x7        0x2a  overwritten",
    ]


def test_a_failure_names_the_error() -> None:
    assert lines(Failure(1, 2, 7, 3, 9, 2, 0x10)) == [
        "           1          2  client  call doubler failed: error 2, send timeout",
        "                         at 0x10",
    ]


def test_a_fault_says_what_was_done_to_which_page() -> None:
    assert lines(Fault(1, 2, 7, 0xBAD000, 7, 0x10, Fate.KILLED)) == [
        "           1          2  client  page fault: write of a protected page at 0xbad000, "
        "the thread has no pager and is killed",
        "                         at 0x10",
    ]


def test_a_refusal_shows_object_protocol_and_opcode() -> None:
    assert lines(Refused(1, 2, 7, 2, -13, 1, (1, 3), "only writing is served", 0x10)) == [
        "           1          2  client  asked for what is not served: only writing is served",
        "                         object log, protocol -13 (log), opcode 0x1",
        "                         at 0x10",
    ]


def test_log_bytes_that_are_no_text_are_escaped() -> None:
    assert lines(Log(1, 2, 7, b"\xff\x1b[31m\n", 0))[0].endswith(r"log: '\\xff\x1b[31m'")


def test_an_interrupt_says_what_became_of_it() -> None:
    shown = [
        lines(Interrupt(1, 2, 9, firing))[0].partition("  doubler  ")[2] for firing in Firing
    ]
    assert shown == [
        "interrupt: its thread waited for it",
        "interrupt: queued at its thread",
        "interrupt: one is queued already",
        "interrupt: pending, since no thread is bound",
    ]


def test_the_message_of_an_irq_has_no_instruction_that_sent_it() -> None:
    event = Transfer(1, 2, 9, 5, 1, 0, 0, 0x77, 0, 0, 0x20, b"", b"")
    assert lines(event) == [
        "           1          2  doubler → server  send",
        "                         tag 0x0: label 0, 0 words; label 0x77",
        "                         to 0x20",
    ]


def test_waiting_at_an_object_shows_what_was_sent() -> None:
    tag = (-20 << 16 | 1) & (1 << 64) - 1
    assert lines(Waiting(1, 2, 7, 3, 9, tag, (0,), 0x10)) == [
        "           1          2  client  call to doubler, waits",
        "                         tag 0xffffffffffec0001: label -20 (semaphore), 1 word",
        "                         at 0x10",
        "                                sent",
        "                         mr[0]   0x0",
    ]
    assert lines(Awoken(1, 2, 7, 9, 0, 0x10)) == [
        "           1          2  client  goes on: doubler came",
        "                         result 0x0: label 0, 0 words",
        "                         at 0x10",
    ]


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (Remark(1, 2, 7, 0, Purpose.ENTER, b"", (), 16), "enters the debugger, and goes on"),
        (
            Remark(1, 2, 7, 0, Purpose.ENTER, b"a\x1b[2J", (), 16),
            r"enters the debugger, and goes on: 'a\x1b[2J'",
        ),
        (
            Remark(1, 2, 7, 0, Purpose.COMMAND, b"Tb", (), 16),
            "has a command for the debugger: 'Tb'",
        ),
        (Remark(1, 2, 7, 0, Purpose.TEXT, b"here", (), 16), "traces: 'here'"),
        (Remark(1, 2, 7, 0, Purpose.VALUES, b"", (1, 2, 3), 16), "traces 0x1 0x2 0x3"),
        (Remark(1, 2, 7, 0, Purpose.BINARY, b"\0\xff", (), 16), "traces bytes: 00 ff"),
        (
            Remark(1, 2, 7, 9, Purpose.IMAGE, b"hello", (0x1000,), 16),
            "tells of a program in doubler: 'hello' 0x1000",
        ),
    ],
)
def test_a_remark_says_what_it_is_for(event: Remark, shown: str) -> None:
    assert lines(event) == [
        f"           1          2  client  {shown}",
        "                         at 0x10",
    ]


def test_a_given_name_is_shown_escaped() -> None:
    assert lines(Named(1, 2, 7, 33, b"a\x1b[2J", 0)) == [
        r"           1          2  client  names #33: 'a\x1b[2J'",
    ]


def test_the_scenarios_names_come_before_those_of_guests() -> None:
    names = Names(AMD64, {4: "main", 5: "main.worker"}, given={5: "x", 9: "painter", 10: ""})
    for number in (9, 10):
        names.adopt(number, 5)
    names.adopt(11, 10)
    names.adopt(12, 77)
    assert [names.of(k) for k in (5, 9, 10, 11, 12)] == [
        "main.worker",
        "painter",
        "main.#10",
        "main.#11",
        "#12",
    ]


def test_a_switch_is_one_line() -> None:
    assert lines(Switch(1, 2, 7, 5)) == ["           1          2  server runs"]


def test_labels_are_named_when_their_number_can_mean_only_one_thing() -> None:
    assert [describe_label(label) for label in (-39, -13, 0, 7, 0x1001)] == [
        "-39 (-EBADPROTO)",
        "-13 (log)",
        "0",
        "7",
        "0x1001",
    ]


def test_a_name_of_a_guest_cannot_steer_a_terminal() -> None:
    assert name_of_guest(b"a\x1b[2J\n\xff\xc3\xa9") == r"a\x1b[2J\n\xffé"
