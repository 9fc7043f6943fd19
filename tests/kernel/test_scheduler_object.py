"""The scheduler object, and times."""

import pytest

from kernel import abi, timeout
from kernel.abi import AMD64, IA32, Arch, Errno, Protocol, Rights
from kernel.freeze import freeze, thaw
from kernel.objects import Thread
from tests.kernel.desk import (
    ALL_RIGHTS,
    SELF,
    Desk,
    Result,
    Step,
    SysCall,
    Work,
    object_item,
    tag,
)

SCHEDULER = abi.CAP_SCHEDULER << abi.CAP_SHIFT
TARGET = 0x20


def call(*words: int, items: int = 0) -> SysCall:
    sent = tag(Protocol.SCHEDULER, len(words) - 2 * items, items)
    return SysCall(SCHEDULER | abi.CALL, sent, words=words)


def run_thread(priority: int, quantum: int = 0, index: int = TARGET) -> SysCall:
    words = (abi.SCHEDULER_RUN_THREAD, 0xFF << 24, 1, priority, quantum)
    return call(*words, *object_item(index), items=1)


def manager(desk: Desk, target: Thread, *steps: Step, priority: int = 2) -> Thread:
    thread = desk.idle_thread(priority=priority)
    desk.cap(thread, TARGET, target)
    desk.program(thread, *steps)
    return thread


def log(text: str) -> SysCall:
    words = (abi.VCON_WRITE, len(text), int.from_bytes(text.encode(), "little"))
    return SysCall(abi.CAP_LOG << abi.CAP_SHIFT | abi.SEND, tag(Protocol.LOG, 3), words=words)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("granularity", [0, 1, 24, 0xFF])
def test_info_shows_one_cpu_with_fixed_priorities(desk: Desk, granularity: int) -> None:
    """ABI 6.8: info gives the CPU bitmap, the number of CPUs and the classes."""
    thread = desk.thread(call(abi.SCHEDULER_INFO, granularity << 24))

    desk.run()

    assert desk.result(thread) == [Result(tag(0, 3), 0)]
    assert thread.utcb.load_words(3) == (1, 1, 2)


@pytest.mark.parametrize("offset", [1, 64, 0xFF_FFFF])
def test_info_from_a_cpu_that_does_not_exist_is_out_of_range(desk: Desk, offset: int) -> None:
    """ABI 6.8: an offset behind the last CPU is -34."""
    thread = desk.thread(call(abi.SCHEDULER_INFO, offset))

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.ERANGE), 0)]


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_idle_time_is_what_passed_while_nobody_ran(arch: Arch) -> None:
    """ABI 6.8: idle_time gives a 64-bit number of microseconds."""
    desk = Desk(arch)
    sleep = SysCall(SELF | abi.RECEIVE, timeout=100)
    thread = desk.thread(sleep, sleep, call(abi.SCHEDULER_IDLE_TIME, 0, 1))

    desk.run()

    assert desk.kernel.idle in range(199_000, 200_001)
    idle = timeout.microseconds_of(desk.kernel.idle, cpu_khz=1_000_000)
    count = 8 // arch.word
    assert desk.result(thread)[2] == Result(abi.encode_tag(0, words=count, bits=arch.bits), 0)
    assert thread.utcb.load_words(count) == (idle, 0)[:count]


@pytest.mark.parametrize(("offset", "cpus"), [(0, 0), (0, 2), (1, 1)])
def test_idle_time_of_no_cpu_is_invalid(desk: Desk, offset: int, cpus: int) -> None:
    """ABI 6.8: the set of idle_time has to contain a CPU."""
    thread = desk.thread(call(abi.SCHEDULER_IDLE_TIME, offset, cpus))

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.EINVAL), 0)]


def test_raising_a_ready_thread_above_the_caller_lets_it_run(desk: Desk) -> None:
    """ABI 4.4: equal or higher runs at once."""
    target = desk.idle_thread(priority=1)
    desk.program(target, log("target "))
    manager(desk, target, run_thread(2), log("caller "))

    desk.run()

    assert desk.recording.console() == b"target caller "


def test_raising_a_ready_thread_below_the_caller_does_not(desk: Desk) -> None:
    """ABI 4.4: strictly lower is only put on the ready list."""
    target = desk.idle_thread(priority=1)
    desk.program(target, log("target "))
    manager(desk, target, run_thread(2), log("caller "), priority=3)

    desk.run()

    assert desk.recording.console() == b"caller target "


def test_lowering_the_caller_lets_a_ready_thread_above_it_run(desk: Desk) -> None:
    """ABI 4.4: the highest priority runs."""
    thread = desk.idle_thread(priority=5)
    desk.cap(thread, TARGET, thread)
    desk.program(thread, run_thread(1), log("caller "))
    desk.program(desk.idle_thread(priority=2), log("other "))

    desk.run()

    assert desk.recording.console() == b"other caller "
    assert desk.result(thread)[0] == Result(tag(0), 0)


def test_a_quantum_is_the_length_of_a_threads_time_slices(desk: Desk) -> None:
    """ABI 6.8: run_thread's w4 is the time slice in microseconds."""
    thread = desk.idle_thread()
    desk.cap(thread, TARGET, thread)
    desk.program(thread, run_thread(2, quantum=100), Work(250_000), log("long "))
    desk.program(desk.idle_thread(), log("other "))

    desk.run()

    assert desk.recording.console() == b"other long "
    first = next(e for e in desk.recording.events if getattr(e, "data", b"") == b"other ")
    assert 100_000 < first.cycle < 103_000


def test_a_quantum_of_zero_is_the_usual_one(desk: Desk) -> None:
    """ABI 6.8: a quantum of 0 is the default."""
    thread = desk.idle_thread()
    desk.cap(thread, TARGET, thread)
    desk.program(thread, run_thread(2, 100), run_thread(2, 0), Work(9_000_000), log("long "))
    desk.program(desk.idle_thread(), log("other "))

    desk.run(until=20_000_000)

    assert desk.recording.console() == b"long other "


def test_a_huge_quantum_never_ends(desk: Desk) -> None:
    """ABI 6.8: any 64-bit number of microseconds is a quantum."""
    thread = desk.idle_thread()
    desk.cap(thread, TARGET, thread)
    desk.program(thread, run_thread(2, (1 << 64) - 1), Work(50_000_000), log("long "))
    desk.program(desk.idle_thread(), log("other "))

    desk.run(until=100_000_000)

    assert desk.recording.console() == b"long other "


def test_a_quantum_is_frozen(desk: Desk) -> None:
    """ABI 6.8: a thawed kernel has the same time slices."""
    thread = desk.idle_thread()
    desk.cap(thread, TARGET, thread)
    desk.program(thread, run_thread(2, 100))
    desk.run()

    again = thaw(freeze(desk.kernel), desk.machine).objects[thread.number]

    assert isinstance(again, Thread)
    assert again.quantum == 100_000


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (run_thread(256), Errno.EINVAL),
        (run_thread((1 << 64) - 1), Errno.EINVAL),
        (run_thread(5, index=abi.CAP_LOG), Errno.EINVAL),
        (run_thread(5, index=0x99), Errno.EINVAL),
        (call(abi.SCHEDULER_RUN_THREAD, 0, 1, 5), Errno.EINVAL),
        (call(abi.SCHEDULER_RUN_THREAD, 0, 1, 5, 0), Errno.EINVAL),
        (call(abi.SCHEDULER_INFO), Errno.EMSGTOOSHORT),
        (call(abi.SCHEDULER_IDLE_TIME, 0), Errno.EMSGTOOSHORT),
        (call(3), Errno.ENOSYS),
        (call(), Errno.EMSGTOOSHORT),
    ],
)
def test_what_the_scheduler_does_not_understand_is_an_error(
    desk: Desk, step: SysCall, error: Errno
) -> None:
    """ABI 6.8 and 6: bad parameters change nothing."""
    target = desk.idle_thread(priority=1)
    thread = manager(desk, target, step)

    desk.run()

    assert desk.result(thread) == [Result(tag(-error), 0)]
    assert (target.priority, target.quantum) == (1, 0)


def test_run_thread_needs_the_special_right_of_the_thread(desk: Desk) -> None:
    """ABI 6.8: the thread's capability needs S."""
    target = desk.idle_thread(priority=1)
    thread = manager(desk, target, run_thread(5))
    desk.cap(thread, TARGET, target, ALL_RIGHTS & ~int(Rights.S))

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.EPERM), 0)]
    assert target.priority == 1


@pytest.mark.parametrize("arch", [AMD64, IA32], ids=lambda arch: arch.name)
def test_stats_time_is_what_a_thread_ran(arch: Arch) -> None:
    """ABI 6.2: stats_time gives a 64-bit number of microseconds."""
    desk = Desk(arch)
    stats = SysCall(SELF | abi.CALL, tag(Protocol.THREAD, 1), words=(abi.THREAD_STATS_TIME,))
    sleep = SysCall(SELF | abi.RECEIVE, timeout=500)
    thread = desk.thread(Work(300_000), sleep, Work(45_000), stats)

    desk.run()

    count = 8 // arch.word
    assert desk.result(thread)[1] == Result(abi.encode_tag(0, words=count, bits=arch.bits), 0)
    assert thread.utcb.load_words(count) == (345, 0)[:count]


def test_a_server_gives_up_references_to_its_gate(desk: Desk) -> None:
    """ABI 6.4: dec_refcnt takes w1 from the count and gives the count."""
    server = desk.idle_thread()
    gate = desk.gate(server, 0)
    for index in (0x20, 0x21, 0x22):
        desk.cap(server, index, gate)

    def forgo(count: int) -> SysCall:
        words = (abi.GATE_DEC_REFCNT, count)
        return SysCall(0x20 << 12 | abi.CALL, tag(Protocol.KOBJECT, 2), words=words)

    desk.program(server, forgo(1), forgo(0), forgo(3), forgo(2))
    desk.run()

    results = [r.tag for r in desk.result(server)]
    assert results == [tag(0, 1), tag(0, 1), tag(-Errno.EINVAL), tag(0, 1)]
    assert server.utcb.load(0) == 0
