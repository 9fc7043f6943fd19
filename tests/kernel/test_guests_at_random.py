"""Guests that map, unmap, grant, make, delete and send at random; the kernel stays whole."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kernel import abi
from kernel.abi import Protocol
from kernel.flexpage import ALL_SPACES
from kernel.freeze import freeze, thaw
from kernel.objects import Task, Thread
from tests.kernel.desk import SELF, Desk, Guest, SysCall, tag
from tests.kernel.invariants import check_invariants
from tests.kernel.scene import (
    DELETE,
    EVERYWHERE,
    ITEM,
    PAGE,
    RWX,
    SELF_TOO,
    R,
    accept,
    caps,
    give,
    make_call,
    map_call,
    memory,
    put_page,
    small,
    unmap_call,
)
from tests.kernel.test_segments import DATA, HARMFUL

SLOTS = st.integers(0x20, 0x2F)
PAGES = st.integers(0, 7)
ORDERS = st.integers(0, 3)
RIGHTS = st.sampled_from([0xF, 0xF, 0x7, 0x5, 0x4, 0x2, 0])
MASKS = st.sampled_from([0, SELF_TOO, DELETE])
WHO = st.integers(0, 2)
ANY_WORD = st.integers(0, (1 << 64) - 1)
FPAGES = st.one_of(
    st.builds(lambda p, o, r: memory(p * PAGE, 12 + o, r & 7), PAGES, ORDERS, RIGHTS),
    st.builds(caps, SLOTS, ORDERS, RIGHTS),
    st.builds(lambda p, o, r: memory(p * PAGE, 12 + o, r & 7), PAGES, ORDERS, RIGHTS),
    st.builds(caps, SLOTS, ORDERS, RIGHTS),
    st.builds(caps, st.integers(0x20, 0x30), st.just(0)),
    st.sampled_from([0, memory(1 << 47), memory(0, 63, 4), caps(0x20, 1)]),
)
# What ends a scene soon.
WRECKS = st.one_of(
    st.sampled_from([ALL_SPACES, memory(0, 63), caps(0, 63), caps(0x11), caps(0x10)]), ANY_WORD
)
HEADS = st.builds(
    lambda spot, bits: spot << 12 | bits | ITEM,
    st.one_of(PAGES, SLOTS),
    st.sampled_from([0, 1, 2, 0x10, 0x20, 0x32]),
)
BUFFERS = st.one_of(
    st.builds(lambda index, bits: (small(index, bits),), SLOTS, st.sampled_from([0, 4])),
    st.builds(lambda fpage: (ITEM, fpage), FPAGES),
    st.just((ITEM, ALL_SPACES)),
    st.builds(lambda index: (small(index, 1), 0x11 << 12), SLOTS),
    st.builds(lambda word: (word,), ANY_WORD),
)
KINDS = st.sampled_from(
    [
        0,
        Protocol.TASK,
        Protocol.THREAD,
        Protocol.FACTORY,
        Protocol.IRQ_SENDER,
        Protocol.SEMAPHORE,
    ]
)


class Guests(RuleBasedStateMachine):
    """Three tasks with a thread each, which know each other and may delete each other."""

    @initialize()
    def set_the_scene(self) -> None:
        self.desk = desk = Desk()
        self.threads = [desk.idle_thread(priority=2 + k % 2) for k in range(3)]
        self.calls: list[list[SysCall]] = [[] for _ in self.threads]
        debugger = desk.kernel.create_debugger()
        for k, thread in enumerate(self.threads):
            for page in range(2):
                put_page(desk, thread.task, page * PAGE, RWX)
            after = self.threads[(k + 1) % 3]
            give(desk, thread.task, 0x10, after.task)
            give(desk, thread.task, 0x11, thread.task)
            give(desk, thread.task, 0x12, after)
            give(desk, thread.task, 0x18, desk.gate(after, k << 4))
            give(desk, thread.task, 0x19, desk.kernel.factory)
            give(desk, thread.task, 0x1A, debugger)
            accept(thread, *EVERYWHERE * 4)
            desk.guest(thread, self.guest(k))

    def guest(self, k: int) -> Guest:
        """Do what there is to do, else wait for a message, but not for long."""
        while True:
            call = SysCall(SELF | abi.WAIT, timeout=20)
            if self.calls[k]:
                call = self.calls[k].pop(0)
            yield call

    def tell(self, who: int, call: SysCall) -> None:
        self.calls[who].append(call)

    @rule(
        who=WHO,
        to=st.sampled_from([0x10, 0x11]),
        source=st.sampled_from([0x10, 0x11]),
        fpage=FPAGES,
        head=HEADS,
    )
    def map(self, who: int, to: int, source: int, fpage: int, head: int) -> None:
        self.tell(who, map_call(self.desk, self.threads[who], to, source, fpage, head))

    @rule(
        who=WHO,
        task=st.sampled_from([0x10, 0x11]),
        mask=MASKS,
        fpages=st.lists(FPAGES, min_size=1, max_size=3),
    )
    def unmap(self, who: int, task: int, mask: int, fpages: list[int]) -> None:
        self.tell(who, unmap_call(mask, *fpages, task=task))

    @rule(who=WHO, task=st.sampled_from([0x10, 0x11]), mask=MASKS, fpage=WRECKS)
    def wreck(self, who: int, task: int, mask: int, fpage: int) -> None:
        self.unmap(who, task, mask, [fpage])

    @rule(
        who=WHO,
        kind=KINDS,
        words=st.tuples(st.integers(0, 4), FPAGES),
        factory=st.sampled_from([0x19, 0x19, 0x20, 0x21]),
        buffers=BUFFERS,
    )
    def make(
        self, who: int, kind: int, words: tuple[int, int], factory: int, buffers: Any
    ) -> None:
        self.listen(who, [buffers])
        self.tell(who, make_call(kind, *words, factory=factory))

    @rule(
        who=WHO,
        through=st.sampled_from([0x12, 0x18, 0x20, 0x21]),
        operation=st.sampled_from([abi.SEND, abi.CALL]),
        items=st.lists(st.tuples(HEADS, FPAGES), max_size=4),
        count=st.integers(0, 64),
    )
    def send(
        self,
        who: int,
        through: int,
        operation: int,
        items: list[tuple[int, int]],
        count: int,
    ) -> None:
        words = tuple(word for item in items for word in item)
        sent = tag(1, 0, items=len(items) if count < 60 else count)
        self.tell(
            who, SysCall(through << 12 | operation, sent, timeout=0x0014_0014, words=words)
        )

    @rule(who=WHO, items=st.lists(st.tuples(HEADS, FPAGES), max_size=2))
    def reply(self, who: int, items: list[tuple[int, int]]) -> None:
        words = tuple(word for item in items for word in item)
        sent = tag(0, 0, items=len(items))
        call = SysCall(SELF | abi.REPLY_AND_WAIT, sent, timeout=20, words=words)
        self.tell(who, call)

    @rule(who=WHO, new=SLOTS, task=st.sampled_from([0x10, 0x11, 0x20]), slot=st.integers(0, 5))
    def bind(self, who: int, new: int, task: int, slot: int) -> None:
        thread = self.threads[who]
        if thread.number not in self.desk.kernel.objects:
            return
        area = 0x60_0000
        self.desk.kernel.add_ku_mem(thread.task, area, PAGE)
        words = (abi.CONTROL_BIND, 0, 0, 0, 0, area + slot * 512, ITEM, caps(task))
        sent = tag(Protocol.THREAD, 6, items=1)
        self.tell(who, SysCall(new << 12 | abi.CALL, sent, words=words))
        start = (abi.THREAD_EX_REGS, 0x5000, 0x6000)
        sent = tag(Protocol.THREAD, 3)
        self.tell(who, SysCall(new << 12 | abi.CALL, sent, words=start))

    @rule(
        who=WHO,
        task=st.sampled_from([0x10, 0x11, 0x20]),
        entry=st.integers(0, 600),
        descriptors=st.lists(
            st.sampled_from([0, DATA, HARMFUL["code"], HARMFUL["call gate"]]), max_size=4
        ),
    )
    def segments(self, who: int, task: int, entry: int, descriptors: list[int]) -> None:
        words = (abi.TASK_LDT_SET, entry, *descriptors)
        sent = tag(Protocol.TASK, len(words))
        self.tell(who, SysCall(task << 12 | abi.CALL, sent, words=words))

    @rule(
        who=WHO,
        operation=st.sampled_from(
            [abi.DEBUGGER_TRACE_STATUS, abi.DEBUGGER_TRACE_SLOTS, abi.DEBUGGER_TRACE_TEXT]
        ),
        place=st.sampled_from([memory(0x8000), memory(0x10_0000, 15), memory(0, 15)]),
    )
    def trace(self, who: int, operation: int, place: int) -> None:
        sent = tag(Protocol.DEBUGGER, 2)
        self.tell(who, SysCall(0x1A << 12 | abi.CALL, sent, words=(operation, place)))

    @rule(who=WHO, buffers=st.lists(BUFFERS, max_size=3))
    def listen(self, who: int, buffers: list[tuple[int, ...]]) -> None:
        thread = self.threads[who]
        if thread.number in self.desk.kernel.objects:
            accept(thread, *(word for each in buffers for word in each), *EVERYWHERE * 3)

    @rule(cycles=st.integers(1, 300_000))
    def run(self, cycles: int) -> None:
        self.desk.run(self.desk.machine.now + cycles)

    @rule()
    def freeze(self) -> None:
        frozen = freeze(self.desk.kernel)
        for pages in self.desk.machine.spaces.values():
            pages.clear()
        self.desk.kernel = thaw(frozen, self.desk.machine, recorder=self.desk.recording)
        assert freeze(self.desk.kernel) == frozen
        objects = self.desk.kernel.objects
        self.threads = [self.found(objects.get(each.number), each) for each in self.threads]

    @staticmethod
    def found(thawed: object, old: Thread) -> Thread:
        return thawed if isinstance(thawed, Thread) else old

    @invariant()
    def everything_is_whole(self) -> None:
        if hasattr(self, "desk"):
            check_invariants(self.desk)

    @invariant()
    def nobody_can_write_the_trace_buffer(self) -> None:
        if not hasattr(self, "desk") or self.desk.kernel.trace_frame < 0:
            return
        start = self.desk.kernel.trace_frame
        buffer = range(start, start + PAGE + (1 << 15))
        for pages in self.desk.machine.spaces.values():
            assert all(rights == R for frame, rights in pages.values() if frame in buffer)

    @invariant()
    def local_segments_are_data(self) -> None:
        if hasattr(self, "desk"):
            machine = self.desk.machine
            assert machine.local.keys() <= machine.spaces.keys()
            assert {d for table in machine.local.values() for d in table} <= {0, DATA}


Guests.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestGuests = Guests.TestCase


def test_the_rules_reach_what_they_are_for() -> None:
    """The scene of the machine above lets every kind of object be made and deleted."""
    machine = Guests()
    machine.set_the_scene()
    desk = machine.desk
    before = set(desk.kernel.objects)
    for k, kind in enumerate((0, -11, -12, -15, -18, -20)):
        machine.make(0, kind, (0, 0), 0x19, (small(0x20 + k),))
        machine.run(100_000)
    made = {type(desk.kernel.objects[n]).__name__ for n in set(desk.kernel.objects) - before}
    assert made == {"Gate", "Task", "Thread", "Factory", "Irq", "Semaphore"}

    machine.bind(0, 0x22, 0x11, 0)
    machine.run(100_000)
    new = machine.threads[0].task.caps[0x22].object
    assert isinstance(new, Thread)
    assert new.context.ip == 0x5000

    machine.unmap(0, 0x11, DELETE, [caps(0x20, 3)])
    machine.run(100_000)
    assert set(desk.kernel.objects) == before
    machine.unmap(2, 0x10, DELETE, [caps(0x11)])
    machine.run(100_000)
    assert not isinstance(desk.kernel.objects.get(machine.threads[0].task.number), Task)
    machine.everything_is_whole()
