"""The trace buffer: entries of guests, and the pages in which they can be read."""

import struct

import pytest

from kernel import abi
from kernel.abi import AMD64, IA32, Arch, Errno, Page
from kernel.events import Purpose
from kernel.flexpage import Flexpage, Kind, encode
from kernel.freeze import freeze, thaw
from kernel.objects import Thread
from kernel.trace_buffer import SLOTS
from tests.kernel.desk import Desk, Result, SysCall, tag
from tests.kernel.invariants import check_invariants
from tests.kernel.test_debugger import call, remarks, scene, text_words

ARCHES = pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
SLOT = {8: 128, 4: 64}
STATUS, RING = 0x10_0000, 0x20_0000


def text(arch: Arch, said: bytes, size: int | None = None) -> SysCall:
    words = text_words(said, arch.word)
    return call(abi.DEBUGGER_TRACE_TEXT, len(said) if size is None else size, *words)


def place(address: int, order: int) -> int:
    return encode(Flexpage(Kind.MEMORY, address >> abi.PAGE_SHIFT, order, int(Page.R)))


def ring_order(arch: Arch) -> int:
    return (SLOTS * SLOT[arch.word]).bit_length() - 1


def entry(desk: Desk, number: int) -> bytes:
    size = SLOT[desk.arch.word]
    at = desk.kernel.trace_frame + abi.PAGE_SIZE + number % SLOTS * size
    return bytes(desk.machine.memory[at : at + size])


def tail(desk: Desk) -> int:
    at = desk.kernel.trace_frame + 128
    return int.from_bytes(desk.machine.memory[at : at + desk.arch.word], "little")


def labels(desk: Desk, thread: Thread) -> list[int]:
    return [abi.decode_tag(r.tag, bits=desk.arch.bits).label for r in desk.result(thread)]


@ARCHES
def test_a_text_becomes_an_entry_and_is_told(arch: Arch) -> None:
    """ABI 6.10, group 2: log text; 10.2: an entry has number, ip, TSC, context, clock, type."""
    desk, thread = scene(arch, text(arch, b"state \x1b\xff=7"))
    desk.machine.now = 5_000_000

    desk.run(until=10_000_000)

    assert desk.result(thread) == [Result(0, 0)]
    assert remarks(desk) == [
        (thread.number, 0, Purpose.TEXT, b"state \x1b\xff=7", (), 0x1000),
    ]
    head = struct.unpack_from("<QQQQIIIBB" if arch.word == 8 else "<IIQIIIIBB", entry(desk, 1))
    assert (head[0], head[1], head[3], *head[4:6], *head[7:]) == (
        *(1, 0x1000, thread.number),
        *(0, 0, 5, 0),
    )
    assert head[2] // 1000 == head[6] == 5000
    shown = entry(desk, 1)[48 if arch.word == 8 else 36 :]
    assert shown.rstrip(b"\0") == b"state ..=7"
    assert tail(desk) == 1


@ARCHES
def test_values_come_before_the_text_of_an_entry(arch: Arch) -> None:
    """ABI 6.10, group 2: log 3 values + text."""
    values = (1, arch.mask, 0x55)
    words = (*values, 3, *text_words(b"abcdef", arch.word))
    desk, thread = scene(arch, call(abi.DEBUGGER_TRACE_VALUES, *words))

    desk.run()

    assert remarks(desk) == [(thread.number, 0, Purpose.VALUES, b"abc", values, 0x1000)]
    form, at, kind = ("<3Q", 48, 44) if arch.word == 8 else ("<3I", 36, 32)
    assert struct.unpack_from(form, entry(desk, 1), at) == values
    assert entry(desk, 1)[kind] == 6
    assert entry(desk, 1)[at + struct.calcsize(form) :].rstrip(b"\0") == b"abc"


@ARCHES
def test_binary_data_is_kept_as_it_is(arch: Arch) -> None:
    """ABI 6.10, group 2: binary."""
    data = bytes(range(24))
    sent = call(abi.DEBUGGER_TRACE_BINARY, len(data), *text_words(data, arch.word))
    desk, thread = scene(arch, sent)

    desk.run()

    assert remarks(desk) == [(thread.number, 0, Purpose.BINARY, data, (), 0x1000)]
    at, kind = (46, 44) if arch.word == 8 else (34, 32)
    assert (entry(desk, 1)[kind], entry(desk, 1)[at : at + 24]) == (8, data)


@ARCHES
@pytest.mark.parametrize("operation", [0x201, 0x204, 0x205])
def test_an_entry_takes_as_much_as_it_has_room_for(arch: Arch, operation: int) -> None:
    """ABI 6.10, group 2: entries have a fixed size; the next one is not touched."""
    before = (1, 2, 3) if operation == abi.DEBUGGER_TRACE_VALUES else ()
    long = text_words(b"x" * (arch.word * (62 - len(before) - 1)), arch.word)
    desk, thread = scene(arch, call(operation, *before, (1 << arch.bits) - 1, *long))

    desk.run()

    assert labels(desk, thread) == [0]
    size = {8: (79, 55, 80), 4: (23, 11, 24)}[arch.word][(0x201, 0x204, 0x205).index(operation)]
    assert entry(desk, 1).count(b"x") == size
    assert entry(desk, 2) == bytes(SLOT[arch.word])
    (remark,) = remarks(desk)
    assert remark[3] == b"x" * (arch.word * (61 - len(before)))


@pytest.mark.parametrize(
    "words",
    [(0x201,), (0x204,), (0x204, 1, 2, 3), (0x205,), (0x210,), (0x211,)],
)
def test_too_few_words_are_refused(words: tuple[int, ...]) -> None:
    """ABI 6.10, group 2: -1001; no entry."""
    desk, thread = scene(AMD64, call(*words))

    desk.run()

    assert labels(desk, thread) == [-Errno.EMSGTOOSHORT]
    assert (tail(desk), remarks(desk)) == (0, [])


def test_the_oldest_entries_make_room() -> None:
    """ABI 6.10, group 2: the buffer is a ring of slots."""
    desk, _ = scene(AMD64, *[text(AMD64, b"%d" % k) for k in range(SLOTS + 3)])

    desk.run()

    last = SLOTS + 3
    assert tail(desk) == last
    assert entry(desk, last)[48:].rstrip(b"\0") == b"%d" % (last - 1)
    assert int.from_bytes(entry(desk, 4)[:8], "little") == 4
    assert int.from_bytes(entry(desk, 3)[:8], "little") == last


@ARCHES
def test_clear_forgets_all_entries(arch: Arch) -> None:
    """ABI 6.10, group 2: clear."""
    clear = call(abi.DEBUGGER_TRACE_CLEAR)
    desk, _ = scene(arch, text(arch, b"one"), text(arch, b"two"), clear, text(arch, b"three"))

    desk.run()

    assert tail(desk) == 1
    assert entry(desk, 1)[48 if arch.word == 8 else 36 :].rstrip(b"\0") == b"three"
    assert entry(desk, 2) == bytes(SLOT[arch.word])


@ARCHES
def test_dump_prints_the_entries_from_the_oldest_on(arch: Arch) -> None:
    """ABI 6.10, group 2: dump."""
    values = call(abi.DEBUGGER_TRACE_VALUES, 1, 2, 3, 2, *text_words(b"of", arch.word))
    data = call(abi.DEBUGGER_TRACE_BINARY, 2, *text_words(b"\1\xfe", arch.word))
    dump = call(abi.DEBUGGER_TRACE_DUMP)
    many = [text(arch, b"%d" % k) for k in range(SLOTS - 2)]
    desk, thread = scene(arch, *many, text(arch, b"text"), values, data, dump)

    desk.run()

    lines = desk.recording.console().decode().splitlines()
    assert [line.partition(": ")[2] for line in lines] == [
        *(str(k) for k in range(1, SLOTS - 2)),
        *("text", "of 0x1 0x2 0x3", "01 fe"),
    ]
    assert lines[0].startswith("2 cycle ")
    assert f" thread {thread.number} ip 0x1000: " in lines[0]


def test_a_dump_takes_its_time() -> None:
    """ABI 6.10, group 2: dump: every line costs, so that a budget ends it."""
    desk, thread = scene(AMD64, *[text(AMD64, b"x") for _ in range(100)])
    desk.run()
    before = desk.machine.now
    other = desk.idle_thread(task=thread.task)
    desk.program(other, call(abi.DEBUGGER_TRACE_DUMP))
    desk.run()

    assert desk.machine.now - before > 100 * desk.kernel.costs.system_call


@ARCHES
def test_status_and_slots_can_be_mapped_to_read_them(arch: Arch) -> None:
    """ABI 6.10, group 2: map status page, map slots; w0 is the flexpage."""
    order = ring_order(arch)
    desk, thread = scene(
        arch,
        call(abi.DEBUGGER_TRACE_STATUS, place(STATUS, 12)),
        call(abi.DEBUGGER_TRACE_SLOTS, place(RING, order) | int(Page.W | Page.X)),
    )

    desk.run()

    assert labels(desk, thread) == [0, 0]
    assert thread.utcb.load(0) == place(RING, order)
    space = desk.machine.spaces[thread.task.number]
    frame = desk.kernel.trace_frame
    pages = [STATUS, *range(RING, RING + (1 << order), abi.PAGE_SIZE)]
    assert [space[page] for page in pages] == [
        (frame + k * abi.PAGE_SIZE, int(Page.R)) for k in range(len(pages))
    ]
    status = bytes(desk.machine.memory[frame : frame + abi.PAGE_SIZE])
    word = arch.word
    assert int.from_bytes(status[:4], "little") == 0
    assert int.from_bytes(status[word : 2 * word], "little") == 64
    assert int.from_bytes(status[64 : 64 + word], "little") == SLOTS - 1
    assert int.from_bytes(status[128 : 128 + word], "little") == 0
    scales = struct.unpack_from("<3I", status, 128 + word)
    assert scales == (1 << 27, (1000 << 32) // 1_000_000, 1 << 27)
    check_invariants(desk)


HIGH = 1 << 62


@ARCHES
@pytest.mark.parametrize("operation", [abi.DEBUGGER_TRACE_STATUS, abi.DEBUGGER_TRACE_SLOTS])
@pytest.mark.parametrize("change", ["order", "kind", "end", "taken", "void"])
def test_what_cannot_be_mapped_there_is_refused(
    arch: Arch, operation: int, change: str
) -> None:
    """ABI 6.10, group 2: the size is exact, the place free and the user's."""
    order = 12 if operation == abi.DEBUGGER_TRACE_STATUS else ring_order(arch)
    fpage = {
        "order": place(RING, order + 1),
        "kind": place(RING, order) ^ (int(Kind.MEMORY) ^ int(Kind.OBJECT)) << 4,
        "end": place(arch.user_end, order),
        "taken": place(arch.user_utcb & -(1 << order), order),
        "void": 0,
    }[change]
    desk, thread = scene(arch, call(operation, fpage & arch.mask))
    before = dict(desk.machine.spaces[thread.task.number])

    desk.run()

    assert labels(desk, thread) == [-(Errno.EEXIST if change == "taken" else Errno.EINVAL)]
    assert desk.machine.spaces[thread.task.number] == before
    check_invariants(desk)


@pytest.mark.parametrize("lack", ["quota", "tables", "shared"])
def test_without_memory_nothing_is_mapped(lack: str) -> None:
    """ABI 6.10, group 2: -12."""
    desk, thread = scene(AMD64, call(abi.DEBUGGER_TRACE_SLOTS, place(RING, ring_order(AMD64))))
    quota = thread.task.quota
    free = list(desk.kernel.shared_free)
    if lack == "quota":
        quota.limit = quota.used + 100
    elif lack == "tables":
        desk.machine.table_pages = 3
    else:
        desk.kernel.shared_free.clear()
    used, before = quota.used, dict(desk.machine.spaces[thread.task.number])

    desk.run()

    assert labels(desk, thread) == [-Errno.ENOMEM]
    assert (quota.used, desk.machine.spaces[thread.task.number]) == (used, before)
    if lack == "shared":
        assert desk.kernel.trace_frame < 0
        desk.kernel.shared_free[:] = free
    elif lack == "quota":
        quota.limit = used + 10_000
    check_invariants(desk)


def test_the_pages_can_be_unmapped_and_go_with_their_task() -> None:
    """ABI 6.10, group 2: what was mapped is a mapping like others, without W."""
    unmap = SysCall(
        abi.CAP_TASK << 12 | abi.CALL,
        tag(abi.Protocol.TASK, 3),
        words=(abi.TASK_UNMAP, abi.UNMAP_SELF, place(STATUS, 12) | 7),
    )
    show = call(abi.DEBUGGER_TRACE_STATUS, place(STATUS, 12))
    desk, thread = scene(AMD64, show, unmap, show)
    used = thread.task.quota.used

    desk.run()

    assert labels(desk, thread) == [0, 0, 0]
    assert desk.machine.spaces[thread.task.number][STATUS][1] == Page.R
    assert thread.task.quota.used - used == 64
    check_invariants(desk)


def test_the_buffer_survives_a_freeze() -> None:
    """ABI 6.10, group 2: a thawed kernel goes on with its entries."""
    show = call(abi.DEBUGGER_TRACE_STATUS, place(STATUS, 12))
    desk, thread = scene(AMD64, show, text(AMD64, b"one"))
    desk.run()
    number, frame = thread.task.number, desk.kernel.trace_frame
    data = freeze(desk.kernel)
    desk.machine.spaces = {n: {} for n in desk.machine.spaces}
    desk.kernel = thaw(data, desk.machine, recorder=desk.recording)
    again = desk.kernel.threads[thread.number]
    other = desk.idle_thread(task=again.task)
    desk.program(other, text(AMD64, b"two"))
    desk.run()

    assert (desk.kernel.trace_frame, tail(desk)) == (frame, 2)
    assert [entry(desk, k)[48:].rstrip(b"\0") for k in (1, 2)] == [b"one", b"two"]
    assert desk.machine.spaces[number][STATUS] == (frame, Page.R)
