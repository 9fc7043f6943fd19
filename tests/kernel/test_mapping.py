"""The mapping tree against a model, and cases that are easy to get wrong."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel import abi, quota
from kernel.abi import IA32
from kernel.flexpage import Area, Outcome, Placement
from kernel.freeze import freeze, thaw
from kernel.mapping import drop_pages, map_pages, unmap_pages
from kernel.objects import Task
from tests.kernel.desk import Desk
from tests.kernel.invariants import check_invariants, check_mappings
from tests.kernel.scene import PAGE, RWX, R, W, X, put_page, shown


def map_page(
    desk: Desk,
    source: Task,
    at: int,
    target: Task,
    to: int,
    *,
    rights: int = RWX,
    grant: bool = False,
) -> int:
    where = Placement(Area(at // PAGE, 0), to // PAGE)
    return map_pages(desk.kernel, source, target, where, rights=rights, grant=grant)


def unmap(desk: Desk, task: Task, at: int, *, rights: int = RWX, own: bool = True) -> int:
    return unmap_pages(desk.kernel, task, Area(at // PAGE, 0), rights=rights, own=own)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_rights_are_those_of_source_and_flexpage(desk: Desk) -> None:
    """ABI 4.9: rights in target = source rights & flexpage rights."""
    a, b = desk.task(), desk.task()
    put_page(desk, a, 0x1000, R | W)

    map_page(desk, a, 0x1000, b, 0x5000, rights=R | X)

    assert shown(desk, b) == {0x5000: R}


def test_holes_at_the_source_are_skipped(desk: Desk) -> None:
    """ABI 4.9: holes on the sender side are skipped."""
    a, b = desk.task(), desk.task()
    for page in (1, 3, 4):
        put_page(desk, a, page * PAGE)

    where = Placement(Area(0, 3), 0x20)
    outcome = map_pages(desk.kernel, a, b, where, rights=R, grant=False)

    assert outcome == Outcome.MAPPED
    assert shown(desk, b) == {0x21000: R, 0x23000: R, 0x24000: R}


def test_a_page_without_the_right_to_read_is_not_mapped(desk: Desk) -> None:
    """ABI 4.9: R is the least that a mapping has."""
    a, b = desk.task(), desk.task()
    put_page(desk, a, 0x1000)

    assert map_page(desk, a, 0x1000, b, 0x1000, rights=W | X) == Outcome.NOTHING
    assert shown(desk, b) == {}


def test_the_same_page_again_adds_rights(desk: Desk) -> None:
    """ABI 4.9: existing mapping at the target, same frame: rights upgrade."""
    a, b, c = desk.task(), desk.task(), desk.task()
    put_page(desk, a, 0x1000)
    map_page(desk, a, 0x1000, b, 0x5000, rights=R | X)
    map_page(desk, b, 0x5000, c, 0x6000, rights=R)

    map_page(desk, a, 0x1000, b, 0x5000, rights=R | W)

    assert shown(desk, b) == {0x5000: RWX}
    assert shown(desk, c) == {0x6000: R}


def test_another_frame_replaces_what_was_there_and_its_children(desk: Desk) -> None:
    """ABI 4.9: existing mapping at the target, other frame: replaced."""
    a, b, c = desk.task(), desk.task(), desk.task()
    put_page(desk, a, 0x1000)
    frame = put_page(desk, a, 0x2000)
    map_page(desk, a, 0x1000, b, 0x5000)
    map_page(desk, b, 0x5000, c, 0x6000)

    map_page(desk, a, 0x2000, b, 0x5000, rights=R)

    assert desk.machine.spaces[b.number][0x5000] == (frame, R)
    assert shown(desk, c) == {}
    check_mappings(desk)


def test_the_same_frame_by_another_way_is_replaced(desk: Desk) -> None:
    """ABI 4.9: an unrelated mapping of the same frame gets the new origin."""
    a, b = desk.task(), desk.task()
    put_page(desk, a, 0x1000)
    map_page(desk, a, 0x1000, a, 0x2000, rights=R)
    map_page(desk, a, 0x1000, b, 0x5000)

    map_page(desk, a, 0x2000, b, 0x5000)

    assert shown(desk, b) == {0x5000: R}
    assert unmap(desk, a, 0x2000) == 0
    assert shown(desk, b) == {}


def test_a_page_mapped_back_onto_its_origin_is_gone(desk: Desk) -> None:
    """ABI 4.9: A -> B -> A: the target is unmapped, and the source goes with it."""
    a, b = desk.task(), desk.task()
    put_page(desk, a, 0x1000)
    map_page(desk, a, 0x1000, b, 0x5000)

    assert map_page(desk, b, 0x5000, a, 0x1000) == Outcome.NOTHING

    assert (shown(desk, a), shown(desk, b)) == ({}, {})
    check_mappings(desk)


def test_a_page_mapped_onto_itself_is_gone(desk: Desk) -> None:
    """ABI 4.9: the shortest cycle."""
    a = desk.task()
    put_page(desk, a, 0x1000)

    assert map_page(desk, a, 0x1000, a, 0x1000) == Outcome.NOTHING
    assert shown(desk, a) == {}


def test_a_page_mapped_back_elsewhere_is_a_grandchild(desk: Desk) -> None:
    """ABI 4.9: A -> B -> A at another address: a chain as any other."""
    a, b = desk.task(), desk.task()
    put_page(desk, a, 0x1000)
    map_page(desk, a, 0x1000, b, 0x5000, rights=R | W)
    map_page(desk, b, 0x5000, a, 0x2000, rights=R | X)

    assert shown(desk, a) == {0x1000: RWX, 0x2000: R}
    unmap(desk, b, 0x5000)
    assert shown(desk, a) == {0x1000: RWX}


def test_a_grant_moves_the_page_and_keeps_its_children_within_its_rights(desk: Desk) -> None:
    """ABI 4.9: grant removes the sender's mapping."""
    a, b, c = desk.task(), desk.task(), desk.task()
    put_page(desk, a, 0x1000)
    map_page(desk, a, 0x1000, c, 0x6000)
    desk.machine.touched[a.number, 0x1000] = W

    assert map_page(desk, a, 0x1000, b, 0x5000, rights=R, grant=True) == Outcome.MAPPED

    assert (shown(desk, a), shown(desk, b), shown(desk, c)) == ({}, {0x5000: R}, {0x6000: R})
    assert desk.machine.accessed(b.number, 0x5000) == W
    check_invariants(desk)
    unmap(desk, b, 0x5000, own=False)
    assert (shown(desk, b), shown(desk, c)) == ({0x5000: R}, {})


def test_a_grant_without_rights_moves_nothing(desk: Desk) -> None:
    """ABI 4.9: grant removes the sender's mapping if target rights are non-empty."""
    a, b = desk.task(), desk.task()
    put_page(desk, a, 0x1000, R | W)

    assert map_page(desk, a, 0x1000, b, 0x5000, rights=X, grant=True) == Outcome.NOTHING
    assert (shown(desk, a), shown(desk, b)) == ({0x1000: R | W}, {})


def test_unmapping_children_spares_the_page_itself(desk: Desk) -> None:
    """ABI 6.1: mask 0: children only."""
    a, b, c = desk.task(), desk.task(), desk.task()
    put_page(desk, a, 0x1000)
    map_page(desk, a, 0x1000, b, 0x5000)
    map_page(desk, b, 0x5000, c, 0x6000)

    unmap(desk, a, 0x1000, own=False)

    assert (shown(desk, a), shown(desk, b), shown(desk, c)) == ({0x1000: RWX}, {}, {})


def test_revoking_w_leaves_pages_readable_down_the_tree(desk: Desk) -> None:
    """ABI 6.1: without R only the rights named are taken away, from all descendants."""
    a, b, c = desk.task(), desk.task(), desk.task()
    put_page(desk, a, 0x1000)
    map_page(desk, a, 0x1000, b, 0x5000)
    map_page(desk, b, 0x5000, c, 0x6000)

    unmap(desk, b, 0x5000, rights=W)

    assert (shown(desk, a), shown(desk, b), shown(desk, c)) == (
        {0x1000: RWX},
        {0x5000: R | X},
        {0x6000: R | X},
    )


def test_accessed_flags_come_back_once_and_a_spared_page_keeps_them(desk: Desk) -> None:
    """ABI 6.1: low 4 bits = accessed flags."""
    a, b = desk.task(), desk.task()
    put_page(desk, a, 0x1000)
    map_page(desk, a, 0x1000, b, 0x5000)
    desk.machine.touched[b.number, 0x5000] = R | W

    assert unmap(desk, a, 0x1000, rights=X, own=False) == R | W
    assert unmap(desk, a, 0x1000, rights=X, own=False) == 0
    assert desk.machine.accessed(a.number, 0x1000) == R | W
    assert unmap(desk, a, 0x1000) == R | W


def test_kernel_user_memory_is_neither_mapped_on_nor_replaced_nor_unmapped(desk: Desk) -> None:
    """ABI 2: not in the mapping database, cannot be mapped on."""
    thread = desk.idle_thread()
    a, b = thread.task, desk.task()
    area = thread.utcb_address & -PAGE
    put_page(desk, b, 0x1000)

    assert map_page(desk, a, area, b, 0x5000) == Outcome.NOTHING
    assert map_page(desk, b, 0x1000, a, area) == Outcome.NOTHING
    unmap(desk, a, area)

    assert desk.machine.spaces[a.number][area] == (thread.utcb_frame & -PAGE, R | W)
    assert shown(desk, b) == {0x1000: RWX}


@pytest.mark.parametrize("arch", [abi.AMD64, IA32])
def test_nothing_is_mapped_beyond_user_memory(arch: abi.Arch) -> None:
    """ABI 4.9: kernel addresses and what lies beyond the address space are not mapped."""
    desk = Desk(arch)
    a, b = desk.task(), desk.task()
    last = desk.machine.user_end // PAGE - 1
    for page in range(4):
        put_page(desk, a, page * PAGE)

    for to in (last - 1, last + 1, 1 << 40, (1 << 51) - 1):
        where = Placement(Area(0, 2), to)
        map_pages(desk.kernel, a, b, where, rights=R, grant=False)

    assert list(desk.machine.spaces[b.number]) == [(last - 1) * PAGE, last * PAGE]


def test_mapping_everything_costs_what_there_is(desk: Desk) -> None:
    """ABI 4.9: a flexpage of order 63 is as large as what is mapped at the source."""
    a, b = desk.task(), desk.task()
    for page in (0, 1 << 20, (1 << 34) + 5):
        put_page(desk, a, page * PAGE)
    before = desk.kernel.cost

    where = Placement(Area(0, 63), 0)
    map_pages(desk.kernel, a, b, where, rights=R, grant=False)

    assert desk.machine.spaces[b.number].keys() == a.pages.keys()
    assert desk.kernel.cost - before < 10 * desk.kernel.costs.mapping


def test_a_chain_of_100_000_mappings_is_made_frozen_thawed_and_unmapped(desk: Desk) -> None:
    """ABI 4.9: how deep a tree is, is up to the guests."""
    a = desk.task()
    put_page(desk, a, 0)
    depth = 100_000
    for page in range(depth):
        map_page(desk, a, page * PAGE, a, (page + 1) * PAGE)
    frozen = freeze_now(desk)
    desk.machine.spaces[a.number].clear()

    again = thaw(frozen, desk.machine)
    assert freeze(again) == frozen
    assert len(desk.machine.spaces[a.number]) == depth + 1
    desk.kernel = again
    task = again.objects[a.number]
    assert isinstance(task, Task)
    check_mappings(desk)
    unmap(desk, task, 0, rights=W)
    assert task.pages[depth * PAGE].rights == R | X
    unmap(desk, task, PAGE)
    assert shown(desk, task) == {0: R | X}


def test_unmapping_a_chain_that_lies_in_one_task_is_not_quadratic(desk: Desk) -> None:
    """ABI 6.1: every page of a range is touched once, though each is another's descendant."""
    a = desk.task()
    put_page(desk, a, 0)
    depth = 20_000
    for page in range(depth):
        map_page(desk, a, page * PAGE, a, (page + 1) * PAGE)
    before = desk.kernel.cost

    unmap_pages(desk.kernel, a, Area(0, 63), rights=W, own=False)

    assert desk.kernel.cost - before < 2 * depth * desk.kernel.costs.mapping
    assert a.pages[0].rights == RWX
    assert a.pages[depth * PAGE].rights == R | X


def test_10_000_rounds_of_mapping_one_page_leave_nothing_behind(desk: Desk) -> None:
    """ABI 6.1: what is unmapped is given back."""
    a, b = desk.task(), desk.task()
    put_page(desk, a, 0x1000)
    used = desk.kernel.factory.quota.used
    room = desk.machine.table_pages

    for _ in range(10_000):
        map_page(desk, a, 0x1000, b, 0x5000)
        unmap(desk, a, 0x1000, own=False)

    assert desk.kernel.factory.quota.used == used
    assert desk.machine.table_pages == room
    assert a.pages[0x1000].child is None


def test_a_full_quota_stops_a_mapping_on_the_way(desk: Desk) -> None:
    """ABI 3: map failed: memory or quota failure while mapping; what was mapped stays."""
    a, b = desk.task(), desk.task()
    for page in range(4):
        put_page(desk, a, page * PAGE)
    limit = desk.kernel.factory.quota
    limit.limit = limit.used + 2 * quota.MAPPING_BYTES

    where = Placement(Area(0, 2), 0)
    assert map_pages(desk.kernel, a, b, where, rights=R, grant=False) == Outcome.FULL
    assert shown(desk, b) == {0: R, PAGE: R}
    check_mappings(desk)


def test_full_page_tables_stop_a_mapping_on_the_way(desk: Desk) -> None:
    """ABI 3: map failed."""
    a, b = desk.task(), desk.task()
    for page in range(4):
        put_page(desk, a, page * PAGE)
    desk.machine.table_pages = 3
    used = desk.kernel.factory.quota.used

    where = Placement(Area(0, 2), 0)
    assert map_pages(desk.kernel, a, b, where, rights=R, grant=False) == Outcome.FULL
    assert shown(desk, b) == {0: R, PAGE: R, 2 * PAGE: R}
    assert desk.kernel.factory.quota.used == used + 3 * quota.MAPPING_BYTES
    check_mappings(desk)


def test_accessed_flags_survive_freezing(desk: Desk) -> None:
    """ABI 6.1: the flags belong to the state of a run."""
    a = desk.task()
    put_page(desk, a, 0x1000)
    desk.machine.touched[a.number, 0x1000] = W
    frozen = freeze_now(desk)
    desk.machine.touched.clear()

    thaw(frozen, desk.machine)

    assert desk.machine.accessed(a.number, 0x1000) == W


def freeze_now(desk: Desk) -> bytes:
    desk.kernel.cost = 0  # nobody runs here to pay for it
    return freeze(desk.kernel)


@dataclass
class Model:
    """The same rules on a plain table: (task, page) -> frame, rights, origin."""

    pages: dict[tuple[int, int], tuple[int, int, tuple[int, int] | None]]

    def remove(self, key: tuple[int, int]) -> None:
        for child in self.children(key):
            self.remove(child)
        del self.pages[key]

    def children(self, key: tuple[int, int]) -> list[tuple[int, int]]:
        return [each for each, (_, _, origin) in self.pages.items() if origin == key]

    def limit(self, key: tuple[int, int], rights: int) -> None:
        frame, had, origin = self.pages[key]
        self.pages[key] = (frame, had & rights, origin)
        for child in self.children(key):
            self.limit(child, rights)

    def map(self, key: tuple[int, int], to: tuple[int, int], rights: int, grant: bool) -> None:
        if key not in self.pages or not self.pages[key][1] & rights & R:
            return
        frame, had, origin = self.pages[key]
        given = had & rights
        if to in self.pages:
            _, old, old_origin = self.pages[to]
            if old_origin == key and not grant:
                self.pages[to] = (frame, old | given, key)
                return
            self.remove(to)
            if key not in self.pages:
                return
        if not grant:
            self.pages[to] = (frame, given, key)
            return
        children = self.children(key)
        del self.pages[key]
        self.pages[to] = (frame, given, origin)
        for child in children:
            child_frame, child_rights, _ = self.pages[child]
            self.pages[child] = (child_frame, child_rights, to)
        self.limit(to, given)

    def unmap(self, key: tuple[int, int], rights: int, own: bool) -> None:
        if key not in self.pages:
            return
        for each in [key] if own else self.children(key):
            if rights & R:
                self.remove(each)
            else:
                self.limit(each, ~rights)


PLACES = st.tuples(st.integers(0, 2), st.integers(0, 3))
RIGHTS = st.integers(0, 7)
STEPS = st.one_of(
    st.tuples(st.just("map"), PLACES, PLACES, RIGHTS | st.just(RWX), st.booleans()),
    st.tuples(st.just("unmap"), PLACES, PLACES, RIGHTS, st.booleans()),
)


@given(st.lists(STEPS, max_size=40))
@settings(max_examples=400, deadline=None)
def test_any_sequence_of_operations_gives_what_the_model_gives(
    steps: list[tuple[str, tuple[int, int], tuple[int, int], int, bool]],
) -> None:
    """ABI 4.9, 6.1: map, grant, unmap and partial unmap on a few pages of three tasks."""
    desk = Desk()
    tasks = [desk.task() for _ in range(3)]
    model = Model({})
    for task, page in ((0, 0), (0, 1), (1, 0)):
        frame = put_page(desk, tasks[task], page * PAGE)
        model.pages[task, page] = (frame, RWX, None)

    for what, (task, page), (other, to), rights, flag in steps:
        source, target = tasks[task], tasks[other]
        if what == "map":
            map_page(desk, source, page * PAGE, target, to * PAGE, rights=rights, grant=flag)
            model.map((task, page), (other, to), rights, flag)
        else:
            unmap(desk, source, page * PAGE, rights=rights, own=flag)
            model.unmap((task, page), rights, flag)
        check_mappings(desk)
        for k, each in enumerate(tasks):
            pages = {at // PAGE: (p.frame, p.rights) for at, p in each.pages.items()}
            assert pages == {
                at: entry[:2] for (who, at), entry in model.pages.items() if who == k
            }

    for each in tasks:
        drop_pages(desk.kernel, each)
        assert not each.pages
    desk.kernel.cost = 0
    check_mappings(desk)
