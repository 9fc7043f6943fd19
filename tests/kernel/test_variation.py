"""Changes of a run are written down and read back; what nobody wrote is refused."""

import pytest

from kernel.errors import UsageError
from kernel.variation import (
    Change,
    Choose,
    DelayIrq,
    InjectIpc,
    OverrideRead,
    Points,
    ReplyWords,
    Steering,
    StoreBytes,
    decode,
    encode,
)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (OverrideRead(830, 7, 8, b"\x2a\0"), "override-read 830 7 8 2a00"),
        (StoreBytes(0, 1, 0, b""), "store-bytes 0 1 0 "),
        (Points(1, 1000, overrules=True), "points 1 1000 1"),
        (Choose(7, "preempt", 3, 1), "choose 7 preempt 3 1"),
        (DelayIrq(5, 0, 250), "delay-irq 5 0 250"),
        (InjectIpc(830, 7), "inject-ipc 830 7"),
        (ReplyWords(7, 2), "reply-words 7 2"),
    ],
)
def test_a_change_is_written_and_read(change: Change | Steering, text: str) -> None:
    assert encode(change) == text
    assert decode(text) == change


@pytest.mark.parametrize(
    "text",
    [
        "",
        "override-read 1 2 3",
        "override-read 1 2 3 0g",
        "override-read -1 2 3 00",
        "override-read 1 2 3 00 4",
        "override-read 01 2 3 00",
        "no-such 1 2 3 00",
        "points 1 1000 2",
        "choose 7 Preempt 3 1",
        "choose 7  3 1",
    ],
)
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no change of a run"):
        decode(text)
