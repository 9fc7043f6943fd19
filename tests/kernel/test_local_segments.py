"""LDT set: the descriptor table that all threads of a task share."""

import pytest

from kernel import abi
from kernel.abi import AMD64, IA32, Arch, Errno, Protocol
from kernel.events import Refused
from kernel.objects import Task, Thread
from tests.kernel.desk import Desk, SysCall, object_item
from tests.kernel.test_segments import DATA, HARMFUL, descriptor_words

OWN = abi.CAP_TASK << abi.CAP_SHIFT
ARCHES = pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)


def ldt(arch: Arch, entry: int, *descriptors: int, selector: int = OWN) -> SysCall:
    return raw(
        arch, abi.TASK_LDT_SET, entry, *descriptor_words(arch, *descriptors), to=selector
    )


def raw(arch: Arch, *words: int, to: int = OWN) -> SysCall:
    sent = abi.encode_tag(Protocol.TASK, words=len(words), bits=arch.bits)
    return SysCall(to | abi.CALL, sent, words=words)


def run(arch: Arch, *steps: SysCall) -> tuple[Desk, list[int]]:
    desk = Desk(arch)
    thread = desk.thread(*steps)
    desk.run()
    return desk, labels(desk, thread)


def labels(desk: Desk, thread: Thread) -> list[int]:
    bits = desk.arch.bits
    return [abi.decode_tag(each.tag, bits=bits).label for each in desk.result(thread)]


def table(desk: Desk, task: Task | None = None) -> list[int] | None:
    (only,) = [task] if task else [o for o in desk.kernel.objects.values() if type(o) is Task]
    return desk.machine.local.get(only.number)


@ARCHES
def test_descriptors_are_set_from_an_entry_on(arch: Arch) -> None:
    """ABI 6.1: LDT set: descriptors for entry w1 and the next ones; label 0."""
    desk, result = run(arch, ldt(arch, 2, DATA | 1 << 16, 0, DATA | 2 << 16))

    assert result == [0]
    assert table(desk) == [0, 0, DATA | 1 << 16, 0, DATA | 2 << 16]


@ARCHES
def test_a_table_may_be_filled_to_the_end_of_its_page(arch: Arch) -> None:
    """ABI 6.1: LDT set: 512 entries."""
    count = 61 if arch.word == 8 else 30
    last = abi.LOCAL_SEGMENTS - count
    desk, result = run(arch, ldt(arch, last, *[DATA] * count))

    assert result == [0]
    found = table(desk)
    assert found is not None
    assert (len(found), found[last - 1 :]) == (512, [0] + [DATA] * count)


@ARCHES
@pytest.mark.parametrize("entry", [511, 512, 1 << 29, (1 << 32) - 2, (1 << 32) - 1])
def test_what_ends_beyond_the_page_is_invalid(arch: Arch, entry: int) -> None:
    """ABI 6.1: LDT set: -22; the sum of entry and count cannot wrap."""
    desk, result = run(arch, ldt(arch, entry, DATA, DATA))

    assert result == [-Errno.EINVAL]
    assert table(desk) is None


@pytest.mark.parametrize(
    ("arch", "words"),
    [
        (AMD64, (0x11,)),
        (AMD64, (0x11, 0)),
        (IA32, (0x11, 0)),
        (IA32, (0x11, 0, DATA & 0xFFFF_FFFF)),
        (IA32, (0x11, 0, *descriptor_words(IA32, DATA), 0)),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, tuple) else value.name,
)
def test_no_descriptor_or_half_a_one_is_invalid(arch: Arch, words: tuple[int, ...]) -> None:
    """ABI 6.1: LDT set takes three words or more, and whole descriptors."""
    desk, result = run(arch, raw(arch, *words))

    assert result == [-Errno.EINVAL]
    assert table(desk) is None


@ARCHES
@pytest.mark.parametrize("kind", HARMFUL)
def test_only_data_at_user_level_and_no_part_of_a_bad_request_is_set(
    arch: Arch, kind: str
) -> None:
    """ABI 6.1: LDT set: an unsafe descriptor gives -22, and the report says which."""
    desk, result = run(arch, ldt(arch, 0, DATA), ldt(arch, 0, 0, HARMFUL[kind]))

    assert result == [0, -Errno.EINVAL]
    assert table(desk) == [DATA]
    (refused,) = [each for each in desk.recording.events if isinstance(each, Refused)]
    assert refused.reason == f"a segment descriptor {HARMFUL[kind]:#x}"


def test_the_table_is_that_of_the_task_which_is_named() -> None:
    """ABI 6.1: LDT set works on the task that is invoked, with whatever rights."""
    desk = Desk(AMD64)
    other = desk.task()
    thread = desk.idle_thread()
    cap = desk.cap(thread, 0x20, other, rights=int(abi.Rights.R))
    desk.program(thread, ldt(AMD64, 0, DATA, selector=cap))
    desk.run()

    assert labels(desk, thread) == [0]
    assert (table(desk, other), table(desk, thread.task)) == ([DATA], None)


def test_no_room_for_a_table_is_enomem() -> None:
    """ABI 6.1: LDT set: -12 without kernel memory."""
    desk = Desk(AMD64)
    desk.machine.local_room = 0
    thread = desk.thread(ldt(AMD64, 0, DATA))
    desk.run()

    assert labels(desk, thread) == [-Errno.ENOMEM]
    assert table(desk) is None


def test_a_table_ends_with_its_task() -> None:
    """ABI 6.1: LDT set: the memory of a deleted task's table is free again."""
    desk = Desk(AMD64)
    desk.machine.local_room = 1
    other = desk.task()
    thread = desk.idle_thread()
    cap = desk.cap(thread, 0x20, other, rights=int(abi.Rights.D | abi.Rights.W))
    item = object_item(0x20)[1] | int(abi.Rights.D | abi.Rights.R)
    delete = raw(AMD64, abi.TASK_UNMAP, abi.UNMAP_SELF | abi.UNMAP_DELETE, item)
    desk.program(
        thread, ldt(AMD64, 0, DATA, selector=cap), ldt(AMD64, 0, DATA), delete, ldt(AMD64, 0, 0)
    )
    desk.run()

    assert labels(desk, thread)[::3] == [0, 0]
    assert labels(desk, thread)[1] == -Errno.ENOMEM
    assert desk.machine.local == {thread.task.number: [0]}
