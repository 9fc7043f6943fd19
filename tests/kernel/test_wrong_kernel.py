"""Cases 12, 13 and 19 of the corpus: what a kernel must not do to a UTCB.

Each law is a question to a kernel.  It is asked of ours, and of ours with the mistake that
was reported of another: if both gave the same answer the question would be worth nothing.
"""

import sys
from types import ModuleType
from typing import Any

import pytest

from kernel import abi
from tests.kernel.wrong_kernel import Mistake, load_desk

SELECTOR = 0x20 << abi.CAP_SHIFT
CONTROL = (abi.THREAD_CONTROL | abi.CONTROL_SET_PAGER, 0x5000, 0, 0, 0, 0)


# Case 12.  Fiasco commit ed39449a (2019, #825): IPC without a receive phase changed the
# sender's UTCB.  Nothing is delivered to such a thread, so nothing of its own may change.

SENDER_CHANGED = Mistake(
    "kernel.ipc",
    "        sender.utcb.copy(receiver.utcb, count)\n",
    "        sender.utcb.copy(receiver.utcb, count)\n        sender.utcb.store(0, tag)\n",
)


def sender_before_and_after(bench: ModuleType) -> tuple[object, object]:
    desk: Any = bench.Desk()
    receiver = desk.thread(bench.SysCall(bench.SELF | abi.WAIT))
    sender = desk.idle_thread()
    for k in range(128):
        sender.utcb.store(k, 0x1000 + k)
    gate = desk.cap(sender, 0x20, desk.gate(receiver, 0))
    desk.program(sender, bench.SysCall(gate | abi.SEND, bench.tag(5, 3)))
    before = sender.utcb.load_words(128)
    assert desk.run() == "idle"
    assert receiver.utcb.load_words(3) == before[:3], "the message did not arrive"
    return before, sender.utcb.load_words(128)


def test_a_send_leaves_the_senders_utcb_alone() -> None:
    before, after = sender_before_and_after(load_desk())

    assert after == before


def test_a_kernel_that_changes_a_senders_utcb_is_noticed() -> None:
    before, after = sender_before_and_after(load_desk(SENDER_CHANGED))

    assert after != before


# Case 13.  Fiasco commit 6afcb1c7 (2021, CD-420): a word of the UTCB was checked and then
# read again to be used.  Another thread of the task, on another CPU, can change it between.

READ_TWICE = Mistake(
    "kernel.log",
    "    data = text_of(request.caller, _TEXT, size, word=word)\n",
    "    data = text_of(request.caller, _TEXT, request.word(1), word=word)\n",
)


def logged_while_the_length_changes(bench: ModuleType) -> bytes:
    """Write 8 bytes to the log, whose length becomes 1000 as soon as it has been read."""

    class Racing(bench.Utcb):  # type: ignore[misc, name-defined]
        def load(self, index: int) -> int:
            value = int(super().load(index))
            if index == 1:
                self.words[1] = 1000
            return value

    desk: Any = bench.Desk()
    thread = desk.idle_thread()
    thread.utcb = Racing(thread.utcb.words)
    log = abi.CAP_LOG << abi.CAP_SHIFT
    text = int.from_bytes(b"12345678", "little")
    desk.program(
        thread,
        bench.SysCall(
            log | abi.SEND, bench.tag(abi.Protocol.LOG, 3), words=(abi.VCON_WRITE, 8, text)
        ),
    )
    desk.run()
    return bytes(desk.recording.console())


def test_the_length_of_a_text_is_read_once() -> None:
    assert logged_while_the_length_changes(load_desk()) == b"12345678"


def test_a_kernel_that_reads_a_checked_length_again_is_noticed() -> None:
    assert len(logged_while_the_length_changes(load_desk(READ_TWICE))) == 1000


# Case 19.  seL4 #243 and #846: after an invocation the register with the message's size and
# label was not what the interface says.

COUNT_LOST = Mistake(
    "kernel.invoke",
    "words=len(answer.words) if answer.counted else 0,",
    "words=0,",
)
ANSWER_TO_A_SEND = Mistake(
    "kernel.invoke",
    "    if isinstance(answer, Answer) and wants:\n        words = answer.words",
    "    if isinstance(answer, Answer):\n        words = answer.words",
)


def result_of_invocation(bench: ModuleType, operation: int) -> tuple[object, object]:
    """Set a thread's pager; give the tag that comes back and the words there are then."""
    desk: Any = bench.Desk()
    thread = desk.idle_thread()
    desk.program(
        thread,
        bench.SysCall(bench.SELF | operation, bench.tag(abi.Protocol.THREAD, 6), words=CONTROL),
    )
    desk.run()
    return desk.result(thread)[0].tag, thread.utcb.load_words(6)


def expected_tag(words: int, label: int) -> int:
    return abi.encode_tag(label, words=words, bits=64)


def test_the_result_of_a_call_counts_the_words_of_the_answer() -> None:
    tag, words = result_of_invocation(load_desk(), abi.CALL)

    assert tag == expected_tag(3, 0)
    assert isinstance(words, tuple)
    assert words[3:] == CONTROL[3:]


def test_a_send_to_a_kernel_object_changes_neither_tag_nor_words() -> None:
    sent = (expected_tag(6, abi.Protocol.THREAD), CONTROL)

    assert result_of_invocation(load_desk(), abi.SEND) == sent


@pytest.mark.parametrize(
    ("mistake", "operation"), [(COUNT_LOST, abi.CALL), (ANSWER_TO_A_SEND, abi.SEND)]
)
def test_a_kernel_that_clobbers_the_result_of_an_invocation_is_noticed(
    mistake: Mistake, operation: int
) -> None:
    right = result_of_invocation(load_desk(), operation)

    assert result_of_invocation(load_desk(mistake), operation) != right


def test_loading_a_wrong_kernel_leaves_the_real_one_in_place() -> None:
    load_desk(COUNT_LOST)

    assert sys.modules["kernel.abi"] is abi
