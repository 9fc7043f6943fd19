"""The debugger tells of all kernel objects, in kernel-user memory."""

import struct

import pytest

from kernel import abi
from kernel.abi import AMD64, IA32, Arch, Errno
from kernel.object_info import RECORD
from kernel.objects import Thread
from tests.kernel.desk import Desk
from tests.kernel.test_debugger import call, scene

ARCHES = pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
PLACE = 0x10_0000


def ask(address: int, size: int, skip: int = 0) -> tuple[int, ...]:
    return (abi.DEBUGGER_OBJECT_INFOS, address, size, skip)


def run(arch: Arch, *words: int, pages: int = 1) -> tuple[Desk, Thread]:
    desk, thread = scene(arch, call(*words))
    desk.kernel.add_ku_mem(thread.task, PLACE, pages * abi.PAGE_SIZE)
    desk.kernel.create_gate(thread, 0x30)
    desk.kernel.create_irq()
    desk.kernel.create_semaphore()
    desk.kernel.create_icu()
    desk.run()
    return desk, thread


def label(desk: Desk, thread: Thread) -> int:
    (result,) = desk.result(thread)
    return abi.decode_tag(result.tag, bits=desk.arch.bits).label


def records(desk: Desk, thread: Thread, count: int) -> list[bytes]:
    frame, _ = thread.task.ku_pages[PLACE]
    return [
        bytes(desk.machine.memory[at : at + RECORD])
        for at in range(frame, frame + count * RECORD, RECORD)
    ]


@ARCHES
def test_every_object_has_a_record(arch: Arch) -> None:
    """ABI 6.10: obj info: type and global id, then what the type has."""
    desk, thread = run(arch, *ask(PLACE, abi.PAGE_SIZE))

    assert label(desk, thread) == 0
    count, total = thread.utcb.load_words(2)
    assert count == total == len(desk.kernel.objects) - 1  # no type is that of an ICU
    found = {}
    for record in records(desk, thread, count):
        head, pointer, _ = struct.unpack_from("<3Q", record)
        assert pointer == 0
        found[head >> 5] = (head & 31, record[24:])
    kinds = {
        o.kind: found[o.number][0] for o in desk.kernel.objects.values() if o.kind != "icu"
    }
    assert kinds == {
        "log": 10,
        "factory": 7,
        "scheduler": 9,
        "task": 2,
        "thread": 1,
        "debugger": 8,
        "gate": 4,
        "irq": 5,
        "semaphore": 6,
    }
    by_kind = dict(found.values())
    assert by_kind[1] == struct.pack(
        "<4?II4xqQ8x", False, True, True, False, 0, 0, 0, thread.task.number
    )
    assert by_kind[4] == struct.pack("<QQ24x", 0x30, thread.number)
    quota = desk.kernel.factory.quota
    assert by_kind[7] == struct.pack("<QQ24x", quota.used, quota.limit)
    assert by_kind[5] == struct.pack("<10sHIQQq", b"none", 0, 0, 0, 0, 0)


@ARCHES
def test_one_may_ask_for_a_part(arch: Arch) -> None:
    """ABI 6.10: obj info: as many as fit, from some number on."""
    desk, thread = run(arch, *ask(PLACE, 2 * RECORD + 63, 3))

    count, total = thread.utcb.load_words(2)
    assert (count, total) == (2, len(desk.kernel.objects) - 1)
    numbers = [n for n, o in desk.kernel.objects.items() if o.kind != "icu"]
    written = records(desk, thread, 3)
    assert [int.from_bytes(r[:8], "little") >> 5 for r in written] == [*numbers[3:5], 0]


def test_a_record_may_lie_across_pages() -> None:
    """ABI 6.10: obj info: wherever kernel-user memory is."""
    desk, thread = run(AMD64, *ask(PLACE + abi.PAGE_SIZE - 8, RECORD), pages=2)

    assert thread.utcb.load(0) == 1
    (first, _), (second, _) = (
        thread.task.ku_pages[PLACE + k * abi.PAGE_SIZE] for k in range(2)
    )
    head = desk.machine.memory[first + abi.PAGE_SIZE - 8 : first + abi.PAGE_SIZE]
    assert int.from_bytes(head, "little") >> 5 == next(iter(desk.kernel.objects))
    assert any(desk.machine.memory[second : second + 56])


@ARCHES
@pytest.mark.parametrize("skip", [1000, (1 << 32) - 1])
def test_beyond_the_last_there_is_none(arch: Arch, skip: int) -> None:
    """ABI 6.10: obj info: the answer counts what was written."""
    desk, thread = run(arch, *ask(PLACE, abi.PAGE_SIZE, skip))

    assert (label(desk, thread), thread.utcb.load(0)) == (0, 0)
    assert records(desk, thread, 1) == [bytes(RECORD)]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (ask(PLACE, abi.PAGE_SIZE)[:3], Errno.EMSGTOOSHORT),
        (ask(PLACE + 4, abi.PAGE_SIZE), Errno.EINVAL),
        (ask(PLACE - abi.PAGE_SIZE, abi.PAGE_SIZE), Errno.EINVAL),
        (ask(PLACE + abi.PAGE_SIZE - 72, abi.PAGE_SIZE), Errno.EINVAL),
        (ask(0xFFFF_FFFF_FFFF_FFF8, 1 << 63), Errno.EINVAL),
    ],
)
def test_a_bad_place_is_invalid_and_nothing_is_written(
    words: tuple[int, ...], error: Errno
) -> None:
    """ABI 6.10: obj info: only into kernel-user memory of the caller's."""
    desk, thread = run(AMD64, *words)

    assert label(desk, thread) == -error
    assert records(desk, thread, 64) == [bytes(RECORD)] * 64
