"""Operations on tasks: map, unmap, kernel-user memory, and what is refused."""

import pytest

from kernel import abi, quota
from kernel.abi import Errno, Protocol
from kernel.events import Refused
from kernel.flexpage import ALL_SPACES
from kernel.objects import Thread
from tests.kernel.desk import Desk, SysCall, tag
from tests.kernel.invariants import check_invariants
from tests.kernel.scene import (
    ALL,
    DELETE,
    ITEM,
    PAGE,
    RWX,
    SELF_TOO,
    R,
    W,
    X,
    caps,
    do,
    give,
    held,
    map_call,
    memory,
    put_page,
    shown,
    unmap_call,
)

OTHER = 0x20  # the other task
THING = 0x30


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def thread(desk: Desk) -> Thread:
    thread = desk.idle_thread()
    give(desk, thread.task, OTHER, desk.task())
    return thread


def add_call(*fpages: int, task: int = abi.CAP_TASK) -> SysCall:
    words = (abi.TASK_ADD_KU_MEM, *fpages)
    return SysCall(task << 12 | abi.CALL, tag(Protocol.TASK, len(words)), words=words)


def other(thread: Thread):  # type: ignore[no-untyped-def]
    return thread.task.caps[OTHER].object


def test_memory_is_mapped_to_where_the_control_word_says(desk: Desk, thread: Thread) -> None:
    """ABI 6.1: map: w1 send base/control word, w2 flexpage, item source task."""
    put_page(desk, thread.task, 0x1000, RWX)
    call = map_call(desk, thread, OTHER, abi.CAP_TASK, memory(0x1000, rights=R), 0x7000)

    assert do(desk, thread, call) == [0]
    assert shown(desk, other(thread)) == {0x7000: R}
    check_invariants(desk)


def test_a_capability_is_mapped_to_the_hot_spot(desk: Desk, thread: Thread) -> None:
    """ABI 6.1: map: the window is all spaces."""
    gate = desk.gate(None, 0)
    give(desk, thread.task, THING, gate)
    call = map_call(desk, thread, OTHER, abi.CAP_TASK, caps(THING), 0x44 << 12 | ITEM | 0x20)

    assert do(desk, thread, call) == [0]
    assert held(other(thread), 0x44) == (gate, 0x2F, True)


@pytest.mark.parametrize(("to", "source"), [(ALL & ~2, ALL), (ALL, ALL & ~2)])
def test_s_goes_through_only_if_both_task_capabilities_have_it(
    desk: Desk, thread: Thread, to: int, source: int
) -> None:
    """ABI 6.1: map: object S right masked with both task caps."""
    gate = desk.gate(None, 0)
    give(desk, thread.task, THING, gate)
    give(desk, thread.task, 0x21, other(thread), to)
    give(desk, thread.task, 0x22, thread.task, source)

    do(desk, thread, map_call(desk, thread, 0x21, 0x22, caps(THING), 0x44 << 12))

    assert held(other(thread), 0x44) == (gate, 0xD, True)


def test_mapping_needs_w_on_the_destination(desk: Desk, thread: Thread) -> None:
    """ABI 6.1: map: needs W right on destination."""
    put_page(desk, thread.task, 0x1000)
    give(desk, thread.task, 0x21, other(thread), ALL & ~1)

    call = map_call(desk, thread, 0x21, abi.CAP_TASK, memory(0x1000), 0x7000)
    assert do(desk, thread, call) == [-Errno.EPERM]
    assert shown(desk, other(thread)) == {}


def test_mapping_from_what_is_no_task_is_invalid(desk: Desk, thread: Thread) -> None:
    """ABI 6: item X: the capability is looked up in the caller's object space."""
    calls = [map_call(desk, thread, OTHER, source, memory(0)) for source in (5, 0x99)]
    short = SysCall(OTHER << 12 | abi.CALL, tag(Protocol.TASK, 2), words=(abi.TASK_MAP, 0))

    assert do(desk, thread, *calls, short) == [-Errno.EINVAL] * 3


def test_a_mapping_that_finds_no_room_is_error_16(desk: Desk, thread: Thread) -> None:
    """ABI 6.1: map: label 0 or transport error 16."""
    put_page(desk, thread.task, 0x1000)
    limit = desk.kernel.factory.quota
    limit.limit = limit.used + quota.MAPPING_BYTES - 1

    call = map_call(desk, thread, OTHER, abi.CAP_TASK, memory(0x1000), 0x7000)
    assert do(desk, thread, call) == [-2016]
    assert desk.result(thread)[0].tag == abi.TAG_ERROR


def test_unmap_echoes_the_words_with_accessed_flags(desk: Desk, thread: Thread) -> None:
    """ABI 6.1: unmap: words echoed, low 4 bits of each = accessed flags."""
    for page in (1, 2, 3):
        put_page(desk, thread.task, page * PAGE)
    number = thread.task.number
    desk.machine.touched[number, 0x1000] = R
    desk.machine.touched[number, 0x2000] = R | W
    words = [memory(page * PAGE) for page in (1, 2, 3)]

    assert do(desk, thread, unmap_call(SELF_TOO, *words)) == [0]

    assert thread.utcb.load_words(5) == (
        abi.TASK_UNMAP,
        SELF_TOO,
        words[0] & ~0xF | R,
        words[1] & ~0xF | R | W,
        words[2] & ~0xF,
    )
    assert desk.result(thread)[0].tag == tag(0, 5)
    assert shown(desk, thread.task) == {}


def test_unmap_of_children_spares_the_own_page(desk: Desk, thread: Thread) -> None:
    """ABI 6.1: unmap: 0 children only."""
    put_page(desk, thread.task, 0x1000)

    do(
        desk,
        thread,
        map_call(desk, thread, OTHER, abi.CAP_TASK, memory(0x1000), 0x7000),
        unmap_call(0, memory(0x1000)),
    )

    assert (shown(desk, thread.task), shown(desk, other(thread))) == ({0x1000: RWX}, {})


def test_a_part_of_a_large_flexpage_can_be_unmapped(desk: Desk, thread: Thread) -> None:
    """ABI 4.9: superpages are split."""
    for page in range(4):
        put_page(desk, thread.task, page * PAGE)

    do(
        desk,
        thread,
        map_call(desk, thread, OTHER, abi.CAP_TASK, memory(0, 14), 0x8000),
        unmap_call(SELF_TOO, memory(0x9000, 12), task=OTHER),
    )

    assert sorted(shown(desk, other(thread))) == [0x8000, 0xA000, 0xB000]


def test_revoking_rights_lowers_them(desk: Desk, thread: Thread) -> None:
    """ABI 6.1: unmap: rights of the flexpage are what is taken away."""
    put_page(desk, thread.task, 0x1000)
    gate = desk.gate(None, 0)
    give(desk, thread.task, THING, gate)

    do(desk, thread, unmap_call(SELF_TOO, memory(0x1000, rights=W), caps(THING, rights=0xA)))

    assert shown(desk, thread.task) == {0x1000: R | X}
    assert held(thread.task, THING) == (gate, ALL & ~0xA, True)


def test_a_capability_is_released_here_and_copies_stay(desk: Desk, thread: Thread) -> None:
    """ABI 4.9: unmap of an object affects the local slot only unless delete is requested."""
    gate = desk.gate(None, 0)
    give(desk, thread.task, THING, gate)
    give(desk, other(thread), THING, gate)

    do(desk, thread, unmap_call(0, caps(THING)), unmap_call(SELF_TOO, caps(THING)))

    assert held(thread.task, THING) is None
    assert held(other(thread), THING) == (gate, ALL, True)


@pytest.mark.parametrize("rights", [0, 0xF])
def test_all_spaces_unmaps_everything(desk: Desk, thread: Thread, rights: int) -> None:
    """ABI 6.1: order-63 special fpage unmaps everything in all spaces."""
    target = other(thread)
    put_page(desk, target, 0x1000)
    put_page(desk, target, 0x7FFF_0000_0000)
    kernel_user = desk.idle_thread(task=target).utcb_address & -PAGE

    assert do(desk, thread, unmap_call(SELF_TOO, ALL_SPACES | rights, task=OTHER)) == [0]

    assert (target.pages, target.caps) == ({}, {})
    assert list(desk.machine.spaces[target.number]) == [kernel_user]
    check_invariants(desk)


@pytest.mark.parametrize(
    "fpage", [0, 62 << 6, memory(0x1000, 11), 0x1000 | 14 << 6 | 2 << 4 | 0xF]
)
def test_unmapping_what_is_nothing_does_nothing(desk: Desk, thread: Thread, fpage: int) -> None:
    """ABI 4.9: invalid, special of another order, less than a page, I/O ports."""
    put_page(desk, thread.task, 0x1000)
    before = dict(thread.task.caps)

    assert do(desk, thread, unmap_call(DELETE, fpage)) == [0]
    assert (shown(desk, thread.task), thread.task.caps) == ({0x1000: RWX}, before)


def test_a_misaligned_flexpage_is_its_aligned_one(desk: Desk, thread: Thread) -> None:
    """ABI 4.9: bits of the address below the order are no matter."""
    for page in range(4, 8):
        put_page(desk, thread.task, page * PAGE)

    do(desk, thread, unmap_call(SELF_TOO, memory(0x7000, 14)))

    assert shown(desk, thread.task) == {}


def test_unmap_takes_as_many_flexpages_as_there_are_words(desk: Desk, thread: Thread) -> None:
    """ABI 6.1: unmap: w2.. flexpages (words = 2+n)."""
    for page in range(61):
        put_page(desk, thread.task, page * PAGE)
    words = [memory(page * PAGE) for page in range(61)]

    assert do(desk, thread, unmap_call(SELF_TOO, *words)) == [0]
    assert shown(desk, thread.task) == {}


def test_cap_info_compares(desk: Desk, thread: Thread) -> None:
    """ABI 6.1: cap info: two words: valid; three: equal; others are invalid."""
    give(desk, thread.task, THING, thread.task)
    task, log = abi.CAP_TASK << 12, abi.CAP_LOG << 12
    asked = [(), (task,), (0x99 << 12,), (task, THING << 12), (task, log), (0x800, 0xFFF800)]

    def ask(*selectors: int) -> SysCall:
        words = (abi.TASK_CAP_INFO, *selectors)
        return SysCall(task | abi.CALL, tag(Protocol.TASK, len(words)), words=words)

    assert do(desk, thread, *(ask(*each) for each in asked)) == [-Errno.EINVAL, 1, 0, 1, 0, 1]


def test_kernel_user_memory_is_zeroed_and_mapped_where_asked(
    desk: Desk, thread: Thread
) -> None:
    """ABI 6.1: add_ku_mem: w1.. memory flexpages, w0.. actual flexpages."""
    start, size = desk.kernel.shared_free[0]
    desk.machine.memory[start : start + size] = b"\xff" * size
    asked = memory(0x10_0000, 13, 0)

    assert do(desk, thread, add_call(asked, memory(0x20_0000, 12, 0))) == [0]

    assert thread.utcb.load(0) == asked | R | W
    pages = desk.machine.spaces[thread.task.number]
    assert {at: rights for at, (_, rights) in pages.items() if at < 0x30_0000} == {
        0x10_0000: R | W,
        0x10_1000: R | W,
        0x20_0000: R | W,
    }
    frame = pages[0x10_0000][0]
    assert desk.machine.memory[frame : frame + 2 * PAGE] == bytes(2 * PAGE)
    check_invariants(desk)


@pytest.mark.parametrize(
    ("fpage", "error"),
    [
        (0, Errno.EINVAL),
        (caps(3, 12), Errno.EINVAL),
        (memory(0x10_0000, 11), Errno.EINVAL),
        (memory(0x10_0000, 18), Errno.EINVAL),
        (memory(0xFFFF_8000_0000_0000, 12), Errno.EINVAL),
        (memory(0x7FFF_FFFF_F000, 12), Errno.EINVAL),
        (memory(0x7FFF_FFFF_0000, 17), Errno.EINVAL),
        (memory(0x1000, 12), Errno.EEXIST),
        (memory(0xB300_0000, 12), Errno.EEXIST),
    ],
)
def test_bad_kernel_user_memory_is_refused(
    desk: Desk, thread: Thread, fpage: int, error: Errno
) -> None:
    """ABI 2: EINVAL bad fpage, EEXIST already mapped."""
    put_page(desk, thread.task, 0x1000)
    before = dict(desk.machine.spaces[thread.task.number])

    assert do(desk, thread, add_call(fpage)) == [-error]
    assert desk.machine.spaces[thread.task.number] == before
    check_invariants(desk)


def test_kernel_user_memory_runs_out(desk: Desk, thread: Thread) -> None:
    """ABI 2: ENOMEM; the machine has so much and no more."""
    calls = [add_call(memory(0x1000_0000 + (k << 17), 17)) for k in range(12)]

    results = do(desk, thread, *calls)

    assert set(results) == {0, -Errno.ENOMEM}
    check_invariants(desk)


def test_no_room_for_page_tables_is_enomem_and_leaves_nothing(
    desk: Desk, thread: Thread
) -> None:
    """ABI 2: ENOMEM on the way: what was mapped is unmapped again."""
    desk.machine.table_pages = 1

    assert do(desk, thread, add_call(memory(0x10_0000, 13))) == [-Errno.ENOMEM]
    assert desk.machine.table_pages == 1
    check_invariants(desk)


def test_what_is_no_operation_of_a_task_is_refused_loudly(desk: Desk, thread: Thread) -> None:
    """ABI 6: an unknown opcode is -38."""
    call = SysCall(abi.CAP_TASK << 12 | abi.CALL, tag(Protocol.TASK, 1), words=(0x12,))

    assert do(desk, thread, call) == [-Errno.ENOSYS]
    assert [event for event in desk.recording.events if isinstance(event, Refused)]
