"""Choice points: a probe is asked where one CPU could go on in several ways, nowhere else."""

import pytest

from kernel import irq
from kernel.abi import SEND
from kernel.freeze import freeze
from kernel.kernel import DELAYS, run
from kernel.moment import rewind, save
from tests.kernel.desk import Desk, SysCall, Work
from tests.kernel.test_scheduling import WAIT, call, ran

CALLS_NOBODY = SysCall(0x99 << 12 | SEND)


class Answers:
    """Takes options by the kind of point, and notes what it was asked."""

    def __init__(self, **options: int) -> None:
        self.options = options
        self.asked: list[tuple[str, int, int]] = []

    def choose(self, point: str, options: int, subject: int) -> int:
        self.asked.append((point, options, subject))
        return self.options.get(point, 0)

    def undefined_words(self, thread: int, words: memoryview) -> None:
        pass


def test_threads_of_one_priority_start_in_the_order_that_is_chosen() -> None:
    desk = Desk()
    first, second, third = (desk.thread(Work(10)) for _ in range(3))
    probe = desk.kernel.probe = Answers(start=1)

    desk.run()

    assert ran(desk) == [second.number, third.number, first.number]
    assert probe.asked[:2] == [("start", 3, first.number), ("start", 2, first.number)]


def test_who_has_no_rival_is_not_asked_for() -> None:
    desk = Desk()
    desk.thread(CALLS_NOBODY, CALLS_NOBODY, priority=3)
    desk.thread(CALLS_NOBODY, priority=2)
    probe = desk.kernel.probe = Answers()

    desk.run()

    assert probe.asked == []


def test_a_probe_that_says_0_changes_nothing() -> None:
    histories = []
    for probe in (None, Answers()):
        desk = Desk()
        server = desk.thread(WAIT, priority=3)
        call(desk, server, priority=2)
        call(desk, server, priority=2)
        desk.kernel.probe = probe
        if probe is not None:
            desk.kernel.grain, desk.kernel.window = 7, 1000
        desk.run()
        histories.append((desk.recording.events, desk.machine.now))

    assert histories[0] == histories[1]


def test_a_slice_may_end_within_a_program_s_code() -> None:
    desk = Desk()
    first, second = desk.thread(Work(100)), desk.thread(Work(100))
    desk.kernel.grain = 30
    desk.kernel.probe = Answers(slice=1)

    desk.run()

    assert ran(desk)[:4] == [first.number, second.number, first.number, second.number]


def test_where_a_run_is_cut_does_not_move_the_places_in_code() -> None:
    seen = []
    for cuts in ((), (10, 45, 60, 61, 200)):
        desk = Desk()
        desk.thread(Work(100)), desk.thread(Work(100))
        desk.kernel.grain = 30
        probe = desk.kernel.probe = Answers(slice=1)
        for until in (*cuts, 100_000):
            run(desk.kernel, until)
        seen.append((probe.asked, ran(desk)))

    assert seen[0] == seen[1]


@pytest.mark.parametrize("exits", [0, 1, 2])
def test_an_interrupt_may_be_late_by_exits_of_the_kernel(exits: int) -> None:
    desk = Desk()
    handler = desk.thread(WAIT, priority=9)
    made = desk.kernel.create_irq()
    irq.bind(desk.kernel, made, handler, 0x77)
    irq.schedule(desk.kernel, made, 500)
    worker = desk.thread(Work(1000), CALLS_NOBODY, Work(1000), CALLS_NOBODY, priority=2)
    desk.kernel.window = 1_000_000
    probe = desk.kernel.probe = Answers(irq=exits)

    desk.run()

    (arrival,) = desk.recording.transfers()
    assert probe.asked == [("irq", DELAYS, made.number)]
    assert (arrival.cycle // 1000, arrival.receiver) == (exits, handler.number)
    assert ran(desk).count(worker.number) >= 1


def test_an_interrupt_is_not_later_than_its_window() -> None:
    desk = Desk()
    handler = desk.thread(WAIT, priority=9)
    made = desk.kernel.create_irq()
    irq.bind(desk.kernel, made, handler, 0x77)
    irq.schedule(desk.kernel, made, 500)
    desk.thread(Work(100_000), priority=2)
    desk.kernel.window = 2000
    desk.kernel.probe = Answers(irq=DELAYS - 1)

    desk.run()

    (arrival,) = desk.recording.transfers()
    assert 2500 <= arrival.cycle < 4000


def test_a_timeout_may_be_late_and_is_met_once() -> None:
    desk = Desk()
    sleeper = desk.thread(SysCall(WAIT.selector, timeout=0x401), priority=9)
    desk.thread(Work(3_000), CALLS_NOBODY, priority=2)
    desk.kernel.window = 1_000_000
    probe = desk.kernel.probe = Answers(timeout=1)

    desk.run()

    assert [point for point, _, who in probe.asked if who == sleeper.number] == ["timeout"]
    (failure,) = [f for f in desk.recording.failures() if f.thread == sleeper.number]
    assert failure.cycle > 3_000


def test_priorities_are_overruled_only_when_that_is_asked_for() -> None:
    desk = Desk()
    high = desk.thread(CALLS_NOBODY, Work(10), priority=5)
    low = desk.thread(Work(10), priority=1)
    desk.kernel.overrules = True
    probe = desk.kernel.probe = Answers(overrule=1)

    desk.run()

    assert ran(desk)[:3] == [high.number, low.number, high.number]
    assert probe.asked[0] == ("overrule", 2, high.number)


def test_a_kernel_goes_back_to_a_moment() -> None:
    desk = Desk()
    server = desk.thread(WAIT, priority=3)
    call(desk, server, priority=2)
    kernel = desk.kernel
    before, moment = freeze(kernel), save(kernel)
    desk.run()
    after = freeze(kernel)

    rewind(moment)

    assert freeze(kernel) == before
    assert after != before
