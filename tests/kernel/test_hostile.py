"""Guests may put anything into registers and UTCBs; the kernel's state stays whole."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kernel import abi
from kernel.abi import AMD64, IA32, Arch
from kernel.irq import bind, schedule
from tests.kernel.desk import Desk, PageFault, Step, SysCall, Trap, Work
from tests.kernel.invariants import check_invariants

OPERATIONS = st.integers(0, 15)
INDICES = st.sampled_from(
    [0, 1, 2, 3, 4, 5, 6, 7, 10, *range(0x20, 0x27), *range(0x24, 0x27), 0x99, 0xFFFFF]
)
SPECIAL = st.sampled_from([0, 0, 0, 0x800, 0x400, 0xC00])
SELECTORS = st.one_of(
    st.builds(lambda i, s, o: i << 12 | s | o, INDICES, SPECIAL, OPERATIONS),
    st.integers(0, (1 << 64) - 1),
)
LABELS = st.one_of(
    st.sampled_from([int(protocol) for protocol in abi.Protocol]), st.integers(-9, 9)
)
TAGS = st.one_of(
    st.builds(
        lambda label, words, items, flags: abi.encode_tag(
            label, words=words, items=items, flags=flags, bits=64
        ),
        LABELS,
        st.integers(0, 63),
        st.sampled_from([0, 0, 0, 1, 63]),
        st.sampled_from([0, 0, 0x2000, 0xF000]),
    ),
    st.integers(0, (1 << 64) - 1),
)
TIMEOUTS = st.one_of(
    st.sampled_from([0, 0x0400_0400, 0x400, 0x0400_0000, 0x0001_0001, 0x8000_8000]),
    st.integers(0, (1 << 32) - 1),
)
WORDS = st.lists(
    st.one_of(
        st.integers(0, 300),
        st.sampled_from([0x10001, 0x20001, 0x30001, 8, 0x2_0037, (1 << 64) - 1]),
        st.sampled_from([0x10, 0x100, 0x12, 0x2_4034, 0x2_5034, 0x2_6034, 0x2_0034]),
        st.sampled_from([0x11, 0x107, 0x110, 0x201, 0x204, 0x205, 0x210, 0x211, 0x500]),
        st.sampled_from([0x20_0314, 0x20_03D4, 0xB300_0000, 0x00CF_F200_0000_FFFF]),
        st.integers(0, (1 << 64) - 1),
    ),
    max_size=8,
)
CALLS = st.builds(
    lambda selector, tag, label, pair, words: SysCall(selector, tag, label, pair, tuple(words)),
    SELECTORS,
    TAGS,
    st.integers(0, (1 << 64) - 1),
    TIMEOUTS,
    WORDS,
)
STEPS = st.one_of(
    CALLS,
    CALLS,
    CALLS,
    st.integers(0, 50_000).map(Work),
    st.just(PageFault(0)),
    st.just(Trap(13)),
)


def narrow(step: Step, arch: Arch) -> Step:
    """Cut the values of a step to the width of a word."""
    if not isinstance(step, SysCall):
        return step
    mask = arch.mask
    words = tuple(word & mask for word in step.words)
    return SysCall(step.selector & mask, step.tag, step.label & mask, step.timeout, words)


@given(
    arch=st.sampled_from([AMD64, IA32]),
    programs=st.lists(st.lists(STEPS, max_size=12), min_size=1, max_size=5),
    priorities=st.lists(st.integers(1, 4), min_size=5, max_size=5),
    stops=st.lists(st.integers(1, 100_000), max_size=6).map(sorted),
)
@settings(max_examples=300, deadline=None)
def test_any_system_calls_leave_the_kernel_whole(
    arch: Arch, programs: list[list[Step]], priorities: list[int], stops: list[int]
) -> None:
    desk = Desk(arch)
    threads = [
        desk.idle_thread(priority=priority)
        for _, priority in zip(programs, priorities, strict=False)
    ]
    semaphore, debugger = desk.kernel.create_semaphore(), desk.kernel.create_debugger()
    irqs = [desk.kernel.create_irq() for _ in range(2)]
    bind(desk.kernel, irqs[0], threads[0], 0x77)
    for cycle in (5000, 20_000, 20_000, 70_000):
        schedule(desk.kernel, irqs[cycle % 3 % 2], cycle)
    icu = desk.kernel.create_icu()
    desk.kernel.input = "some input\n" * 50
    for k, thread in enumerate(threads):
        partner = threads[(k + 1) % len(threads)]
        desk.cap(thread, 0x20, partner)
        desk.cap(thread, 0x21, desk.gate(partner, 0x40))
        desk.cap(thread, 0x22, desk.gate(None, 0x80))
        desk.cap(thread, 0x23, desk.gate(thread, 0xC0), rights=0)
        desk.cap(thread, 0x24, irqs[0])
        desk.cap(thread, 0x25, irqs[1])
        desk.cap(thread, 0x26, semaphore)
        desk.cap(thread, abi.CAP_ICU, icu)
        desk.cap(thread, abi.CAP_DEBUGGER, debugger)
        desk.program(thread, *(narrow(step, arch) for step in programs[k]))

    for stop in (*stops, 1_000_000):
        desk.run(until=stop)
        check_invariants(desk)
