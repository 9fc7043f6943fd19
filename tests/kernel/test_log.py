"""The vcon: reading, and attributes."""

import pytest

from kernel import abi
from kernel.abi import AMD64, IA32, Arch, Errno, Protocol
from kernel.events import Invocation
from kernel.freeze import freeze, thaw
from tests.kernel.desk import Desk, Result, SysCall, tag

LOG = abi.CAP_LOG << abi.CAP_SHIFT
END = abi.VCON_READ_END


def read(size: int, operation: int = abi.CALL) -> SysCall:
    return SysCall(LOG | operation, tag(Protocol.LOG, 1), words=(1 | size << 16,))


def set_attr(i: int, o: int, local: int) -> SysCall:
    words = (abi.VCON_SET_ATTR, i, o, local)
    return SysCall(LOG | abi.CALL, tag(Protocol.LOG, 4), words=words)


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_a_read_gives_count_and_text_and_a_tag_without_words(arch: Arch) -> None:
    """ABI 6.9: read gives the count in w0 and the text from mr[1]; its tag has words 0."""
    desk = Desk(arch)
    desk.kernel.input = "hello world"
    thread = desk.thread(read(5))
    for k in range(1, 5):
        thread.utcb.store(k, 0xAAAA_AAAA)

    desk.run()

    assert desk.result(thread) == [Result(0, 0)]
    assert thread.utcb.load(0) == 5
    raw = thread.utcb.read(4)
    # What the text does not fill of its last word stays.
    filler = b"\xaa" * 4 if arch.word == 4 else b"\xaa" * 4 + bytes(4)
    assert raw[arch.word :][:5] == b"hello"
    rest = (filler * 8)[5 : len(raw) - arch.word]
    assert raw[arch.word + 5 :] == rest
    (event,) = [e for e in desk.recording.events if isinstance(e, Invocation)]
    assert event.answer == thread.utcb.load_words(len(event.answer))
    assert len(event.answer) == 1 + -(-5 // arch.word)


def test_bit_31_says_that_nothing_is_left(desk: Desk) -> None:
    """ABI 6.9: bit 31 of the count is set when the input is exhausted."""
    desk.kernel.input = "abcdef"
    counts: list[int] = []
    for size in (4, 2, 10):
        thread = desk.thread(read(size))
        desk.run()
        counts.append(thread.utcb.load(0))

    assert counts == [4, 2 | END, 0 | END]


@pytest.mark.parametrize(
    ("arch", "most"), [(AMD64, 62 * 8), (IA32, 62 * 4)], ids=["amd64", "ia32"]
)
def test_a_read_is_cut_to_the_message_registers(arch: Arch, most: int) -> None:
    """ABI 6.9: at most 62 words of text, and nothing behind them is touched."""
    desk = Desk(arch)
    desk.kernel.input = "x" * 1000
    thread = desk.thread(read(0xFFFF))
    thread.utcb.store(64, 0x55)

    desk.run()

    assert thread.utcb.load(0) == most
    assert len(desk.kernel.input) == 1000 - most
    assert thread.utcb.load(63) == thread.utcb_address
    assert thread.utcb.load(64) == 0x55


def test_reading_needs_the_write_right(desk: Desk) -> None:
    """ABI 6.9: read needs W."""
    desk.kernel.input = "abc"
    thread = desk.idle_thread()
    cap = desk.cap(thread, 0x20, desk.kernel.log, int(abi.Rights.R))
    desk.program(thread, SysCall(cap | abi.CALL, tag(Protocol.LOG, 1), words=(1 | 3 << 16,)))

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.EPERM), 0)]
    assert desk.kernel.input == "abc"


def test_a_read_without_a_receive_phase_takes_nothing(desk: Desk) -> None:
    """ABI 6: a send-only invocation's result is discarded."""
    desk.kernel.input = "abc"
    thread = desk.thread(read(3, abi.SEND))

    desk.run()

    assert desk.result(thread) == [Result(tag(Protocol.LOG, 1), 0)]
    assert desk.kernel.input == "abc"


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (0, "a\r\nb"),
        (abi.VCON_ICRNL, "a\n\nb"),
        (abi.VCON_IGNCR, "a\nb"),
        (abi.VCON_INLCR, "a\r\rb"),
        (abi.VCON_INLCR | abi.VCON_IGNCR, "ab"),
        (abi.VCON_INLCR | abi.VCON_ICRNL, "a\n\nb"),
    ],
)
def test_input_flags_map_line_ends(desk: Desk, flags: int, text: str) -> None:
    """ABI 6.9: INLCR, IGNCR and ICRNL on input."""
    desk.kernel.input = "a\r\nb"
    thread = desk.thread(set_attr(flags, 0, 0), read(8))

    desk.run()

    assert thread.utcb.load(0) == len(text) | END
    assert thread.utcb.read(2)[8 : 8 + len(text)] == text.encode()


def test_bytes_that_are_no_text_are_read_as_they_are(desk: Desk) -> None:
    """ABI 6.9: text is bytes."""
    desk.kernel.input = bytes(range(0x80, 0x88)).decode("latin-1")
    thread = desk.thread(read(8))

    desk.run()

    assert thread.utcb.read(2)[8:] == bytes(range(0x80, 0x88))


def test_attributes_can_be_set_and_read_back(desk: Desk) -> None:
    """ABI 6.9: get_attr gives words 4; a line end on output is never bare."""
    get = SysCall(LOG | abi.CALL, tag(Protocol.LOG, 1), words=(abi.VCON_GET_ATTR,))
    first = desk.thread(get)
    desk.run()
    second = desk.thread(set_attr(1, 0o10, 3), get)
    desk.run()

    assert desk.result(first) == [Result(tag(0, 4), 0)]
    assert first.utcb.load_words(4) == (3, 0o400, 0o4, 0o10)
    assert second.utcb.load_words(4) == (3, 1, 0o14, 3)


@pytest.mark.parametrize(
    ("flags", "text"),
    [(0, b"a\r\n"), (abi.VCON_OCRNL, b"a\n\n"), (abi.VCON_ONLRET, b"a\n")],
)
def test_output_flags_map_carriage_returns(desk: Desk, flags: int, text: bytes) -> None:
    """ABI 6.9: OCRNL and ONLRET on output."""
    words = (abi.VCON_WRITE, 3, int.from_bytes(b"a\r\n", "little"))
    write = SysCall(LOG | abi.SEND, tag(Protocol.LOG, 3), words=words)
    desk.thread(set_attr(0, flags, 0), write)

    desk.run()

    assert desk.recording.console() == text


@pytest.mark.parametrize(
    ("words", "expected"),
    [((), -Errno.EMSGTOOSHORT), ((4,), -Errno.ENOSYS), ((2, 1, 1), -Errno.EINVAL)],
)
def test_what_the_log_does_not_understand_is_an_error(
    desk: Desk, words: tuple[int, ...], expected: int
) -> None:
    """ABI 6: too few words, and an unknown opcode."""
    thread = desk.thread(SysCall(LOG | abi.CALL, tag(Protocol.LOG, len(words)), words=words))

    desk.run()

    assert desk.result(thread) == [Result(tag(expected), 0)]


def test_input_and_attributes_are_frozen(desk: Desk) -> None:
    """ABI 6.9: a thawed kernel has the same input left."""
    desk.kernel.input = "abc\xff"
    desk.thread(set_attr(1, 2, 3), read(2))
    desk.run()

    again = thaw(freeze(desk.kernel), desk.machine)

    assert again.input == "c\xff"
    assert (again.log.input_flags, again.log.output_flags, again.log.local_flags) == (1, 6, 3)


@pytest.fixture
def desk() -> Desk:
    return Desk()
