"""A timeline: what it shows at an instant is that of a run which only went there."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guest.scenario import load_scenario
from kernel.errors import UsageError
from kernel.events import Event, Fault, Outcome, Transfer
from lab.replay.halting import Instant
from lab.replay.marks import seek_mark
from lab.replay.search import Break, Stop
from lab.replay.states import State
from lab.replay.timeline import FAULTS, MEMORY, MESSAGES, MarkError, Timeline
from lab.replay.touches import Place
from lab.run import run_scenario

ARCHES = ["amd64", "ia32"]
NAMES = [
    "faq_nested_call",
    "ipc_errors",  # faults that nobody handles
    "page_fault_forever",  # a pager that never helps
    "irq_server",
    "semaphore_lock",
    "kip_clock",
    "faq_nested_call-c-O2",
]
CYCLES = 60_000
CASES = [(name, arch) for name in NAMES for arch in ARCHES]
Facts = tuple[tuple[bytes, bytes], State, list[Event]]


def timeline(name: str, arch: str = "amd64", *, memory: int = MEMORY) -> Timeline:
    return Timeline(load_scenario(name, arch=arch), cycles=CYCLES, memory=memory)


def facts(line: Timeline) -> Facts:
    state = line.state()
    return line.digest(), state, [line.log.event(number) for number in range(state.events)]


_lines: dict[tuple[str, str], Timeline] = {}


@pytest.fixture(scope="module", autouse=True)
def close_lines() -> Iterator[None]:
    yield
    for line in _lines.values():
        line.close()
    _lines.clear()


def shared(name: str, arch: str) -> Timeline:
    """Give a timeline that was moved in before: that must not matter."""
    if (name, arch) not in _lines:
        _lines[name, arch] = timeline(name, arch)
    return _lines[name, arch]


@pytest.mark.parametrize(("name", "arch"), CASES)
def test_the_events_are_those_of_a_plain_run(name: str, arch: str) -> None:
    seen: list[Event] = []
    whole = run_scenario(
        name, arch=arch, cycles=CYCLES, listener=lambda names, event: seen.append(event)
    )
    line = shared(name, arch)
    end = line.seek_end()

    assert [line.log.event(number) for number in range(len(line.log))] == seen
    assert (end.position, line.cycle) == (whole.instructions, whole.cycles)
    assert line.console() == whole.console
    assert line.outcome is not None
    assert line.outcome.name.lower() == whole.outcome


@pytest.mark.parametrize(("name", "arch"), CASES)
def test_seeking_shows_what_a_fresh_run_shows(name: str, arch: str) -> None:
    line = shared(name, arch)
    end = line.seek_end().position
    random = Random(f"{name} {arch}")
    for position in sorted((random.randrange(end + 1) for _ in range(6)), reverse=True):
        fresh = timeline(name, arch)
        fresh.seek(position)
        line.seek(position)
        assert facts(line) == facts(fresh)
        fresh.close()


@pytest.mark.parametrize(("name", "arch"), CASES)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_steps_there_and_back_are_no_steps(name: str, arch: str, data: st.DataObject) -> None:
    line = shared(name, arch)
    end = line.seek_end()
    line.seek(data.draw(st.integers(0, end.position)))
    before = facts(line)
    for count in data.draw(st.lists(st.integers(-60, 60), min_size=1, max_size=3)):
        done = line.step(count)
        assert done == abs(count) or line.at in (end, Instant(0))
        assert line.step(-done if count > 0 else done) == done
        assert facts(line) == before


@pytest.mark.parametrize(("name", "arch"), CASES)
def test_a_random_walk_ends_where_its_sum_is(name: str, arch: str) -> None:
    line = shared(name, arch)
    line.seek_end()
    total = line.step(-(10**6))  # instants of the whole run
    assert line.at == Instant(0)
    random = Random(name)
    place = 0
    for _ in range(12):
        count = random.randrange(-total // 4, total // 4)
        line.step(count)
        place = min(max(place + count, 0), total)
    walked = facts(line)
    line.seek(0)
    assert line.step(place) == place
    assert facts(line) == walked


def test_stepping_alone_reaches_everything_that_a_run_passes() -> None:
    stepped, whole = timeline("faq_nested_call"), timeline("faq_nested_call")
    while stepped.step():
        pass
    whole.seek_end()
    assert facts(stepped) == facts(whole)
    stepped.close()
    whole.close()


def test_a_fault_is_a_step_that_completes_nothing() -> None:
    line = timeline("page_fault_forever")
    number = line.next_event(Fault)
    assert number is not None
    fault = line.log.event(number)
    assert isinstance(fault, Fault)
    after = line.at
    assert line.step(-1) == 1
    assert line.position == after.position == fault.position
    assert line.running == fault.thread
    assert line.thread(fault.thread).ip == fault.ip
    line.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_events_are_visited_in_order_in_both_directions(arch: str) -> None:
    line = timeline("faq_nested_call", arch)
    there: list[tuple[int, Instant]] = []
    while (number := line.next_event(*MESSAGES)) is not None:
        there.append((number, line.at))
    back = []
    line.seek_end()
    line.step(10)
    while (number := line.previous_event(*MESSAGES)) is not None:
        back.append((number, line.at))

    expected = [n for n in range(len(line.log)) if isinstance(line.log.event(n), Transfer)]
    assert [number for number, _ in there] == expected
    assert back[::-1] == there or [*back[::-1], there[-1]] == there
    assert line.next_event(*FAULTS) is None
    line.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_a_cycle_is_the_first_instant_at_or_after_it(arch: str) -> None:
    line = timeline("irq_server", arch)
    line.seek_end()
    last = line.cycle
    for cycle in (0, 1, 777, 5000, last):
        at = line.seek_cycle(cycle)
        assert line.cycle >= cycle
        if at > (0, 0):
            line.step(-1)
            assert line.cycle < cycle
    line.close()


def test_wrong_marks_are_refused_and_the_cursor_stays() -> None:
    line = timeline("faq_nested_call")
    line.seek(100)
    before = facts(line)
    for bad, message in (
        (-1, "no position -1: they begin at 0"),
        (10**9, "no position 1000000000: the run ends at 1154"),
        (Instant(100, 7), "no position 100\\+7: the last one there is 100"),
    ):
        with pytest.raises(MarkError, match=f"^{message}$"):
            line.seek(bad)
        assert facts(line) == before
    with pytest.raises(MarkError, match="no cycle 99999999: the run ends at 13687"):
        line.seek_cycle(99_999_999)
    with pytest.raises(MarkError, match="no message is copied at position 3"):
        line.copying(3, 0)
    with pytest.raises(UsageError, match="no thread 99 at 100"):
        line.registers(99)
    with pytest.raises(UsageError, match="not all are mapped"):
        line.last_writer(line.tasks["server"], 0x10, 8)
    assert facts(line) == before
    line.close()


def test_words_of_a_transfer_are_copied_one_by_one() -> None:
    line = timeline("faq_nested_call")
    number = line.next_event(Transfer)
    assert number is not None
    while not (event := _transfer(line, number)).payload:
        number = line.next_event(Transfer)
        assert number is not None
    cursor = line.at
    count = event.tag & 63
    views = [line.copying(event.position, done).words for done in range(count + 1)]

    assert b"".join(w.to_bytes(8, "little") for w in views[0]) == event.overwritten
    assert views[-1] == line.utcb(event.receiver)[:count]
    assert all(views[k + 1] == (*views[-1][: k + 1], *views[0][k + 1 :]) for k in range(count))
    with pytest.raises(MarkError, match=f"{count} are copied there"):
        line.copying(event.position, count + 1)
    assert line.at == cursor
    line.close()


def _transfer(line: Timeline, number: int) -> Transfer:
    event = line.log.event(number)
    assert isinstance(event, Transfer)
    return event


def executed(line: Timeline, task: int) -> dict[int, list[Instant]]:
    """Step through a run: by address, the instants at which a task is about to execute it."""
    found: dict[int, list[Instant]] = {}
    line.seek(0)
    while True:
        running = line.running
        if running is not None and line.task_of(running) == task:
            found.setdefault(line.thread(running).ip, []).append(line.at)
        if not line.step():
            return found


@pytest.mark.parametrize(("name", "arch"), [(n, a) for n in NAMES[:3] for a in ARCHES])
def test_runs_stop_at_every_break_in_both_directions(name: str, arch: str) -> None:
    line = timeline(name, arch)
    task = min(line.tasks.values())
    places = executed(line, task)
    random = Random(arch)
    for address in random.sample(sorted(places), min(6, len(places))):
        there: list[Instant] = []
        line.seek(0)
        while stop := line.run_forward((Break(task, address),)):
            there.append(stop.at)
            assert line.at == stop.at
        assert line.at == line.end
        back: list[Instant] = []
        while stop := line.run_back((Break(task, address),)):
            back.append(stop.at)
        assert line.at == Instant(0)
        assert there == [at for at in places[address] if at > (0, 0)]
        assert back[::-1] == places[address]
    line.close()


def test_a_break_belongs_to_one_task() -> None:
    line = timeline("faq_nested_call")
    entry = line.images["server"].entry
    assert line.images["client"].entry == entry, "linked to the same address"
    stop = line.run_forward((Break(line.tasks["client"], entry + 7),))
    if stop is not None:
        assert line.task_of(stop.thread) == line.tasks["client"]
    line.close()


def test_a_condition_is_asked_at_the_stop() -> None:
    line = timeline("faq_nested_call")
    task = min(line.tasks.values())
    places = executed(line, task)
    address = max(places, key=lambda each: len(places[each]))
    wanted = places[address][len(places[address]) // 2]
    asked: list[Instant] = []

    def condition(stop: Stop) -> bool:
        asked.append(line.at)
        assert line.at == stop.at
        return stop.at == wanted

    line.seek(0)
    line.run_forward((Break(task, address),), condition=condition)
    assert line.at == wanted
    line.seek_end()
    line.run_back((Break(task, address),), condition=condition)
    assert line.at == wanted
    assert wanted in asked
    line.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_writers_of_a_word_are_found_by_looking_at_it_all_the_time(arch: str) -> None:
    line = timeline("faq_nested_call", arch)
    server = line.tasks["server"]
    thread = next(n for n in line.threads() if line.task_of(n) == server)
    word = line.log.word
    place = Place(server, line.utcb_address(thread) + word, word, reads=False, writes=True)
    changes: list[Instant] = []
    old = line.utcb(thread)[1]
    while line.step():
        if line.utcb(thread)[1] != old:
            changes.append(line.at)
            old = line.utcb(thread)[1]

    line.seek(0)
    there: list[Stop] = []
    while stop := line.run_forward((), (place,)):
        assert line.at == stop.at
        there.append(stop)
    back: list[Stop] = []
    while stop := line.run_back((), (place,)):
        back.append(stop)
    assert set(changes) <= {stop.at for stop in there}
    assert [stop.touch for stop in back[::-1]] == [stop.touch for stop in there]
    for stop in there:
        assert stop.touch is not None
        line.seek(stop.touch.after)
        assert line.last_writer(server, place.address, word) == stop.touch
        assert line.at == stop.touch.after
    assert any(stop.touch and stop.touch.by_kernel for stop in there)
    assert any(stop.touch and not stop.touch.by_kernel for stop in there)
    line.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_the_next_reader_of_a_delivered_word(arch: str) -> None:
    line = timeline("faq_read_first", arch)
    server = line.tasks["server"]
    thread = next(n for n in line.threads() if line.task_of(n) == server)
    line.next_event(Transfer, thread=thread)
    while not line.utcb(thread)[1]:
        line.next_event(Transfer, thread=thread)
    at = line.at
    touch = line.next_reader(server, line.utcb_address(thread) + line.log.word, line.log.word)
    assert touch is not None
    assert (touch.thread, touch.by_kernel, touch.is_write) == (thread, False, False)
    assert touch.value == line.utcb(thread)[1]
    assert line.at == at
    stop = line.next_access(thread, 1, writes=False)
    assert stop is not None
    assert stop.touch == touch
    assert line.previous_access(thread, 1, writes=False) is not None
    assert line.at == touch.before
    line.close()


def test_memory_of_checkpoints_is_bounded_and_only_time_depends_on_it() -> None:
    plain, tight = timeline("irq_server"), timeline("irq_server", memory=12_000)
    for line in (plain, tight):
        line.seek_end()
    random = Random(1)
    assert plain.end is not None
    for _ in range(30):
        position = random.randrange(plain.end.position)
        plain.seek(position)
        tight.seek(position)
        assert facts(plain) == facts(tight)
        assert tight.checkpoint_bytes <= 12_000
    plain.close()
    tight.close()


class _Enough(Exception):
    """Somebody pressed a key."""


def test_a_movement_that_is_ended_from_outside_leaves_the_cursor() -> None:
    def stop() -> None:
        raise _Enough

    line = Timeline(load_scenario("pingpong_forever_4", arch="amd64"), cycles=50_000_000)
    line.seek(500)
    before = facts(line)
    line.poll = stop
    with pytest.raises(_Enough):
        line.seek_end()
    line.poll = None
    assert facts(line) == before
    line.close()


def test_the_end_of_a_run_that_uses_its_budget() -> None:
    line = timeline("pingpong_forever_0")
    line.seek_end()
    assert line.outcome is Outcome.BUDGET
    assert line.step() == 0
    line.step(-1)
    assert line.outcome is None
    line.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_steps_of_one_thread_pass_over_the_others(arch: str) -> None:
    line = timeline("faq_nested_call", arch)
    line.seek_end()
    line.seek(0)
    ran: list[tuple[Instant, int | None]] = []
    while line.at != line.end:
        ran.append((line.at, line.running))
        line.step()
    line.seek_end()
    for thread in line.threads():
        own = [at for at, running in ran if running == thread]
        line.seek(0)
        there: list[Instant] = []
        while (at := line.next_of(thread)) != line.end:
            there.append(line.seek(at))
        assert there == [at for at in own if at > (0, 0)]
        line.seek_end()
        back: list[Instant] = []
        while (at := line.previous_of(thread)) > (0, 0):
            back.append(line.seek(at))
        assert back[::-1] == [at for at in own if at > (0, 0)]
    line.close()


@pytest.mark.parametrize(
    ("mark", "at"),
    [("100", 100), (" 100+0 ", 100), ("cycle:0", 0), ("end", 1154), ("event:0", 0)],
)
def test_marks_are_places(mark: str, at: int) -> None:
    line = timeline("faq_nested_call")
    assert seek_mark(line, mark) is None
    assert line.position == at
    line.close()


@pytest.mark.parametrize("mark", ["", "x", "-1", "1+", "1/9", "cycle:", "event:400", "9" * 21])
def test_what_is_no_mark_is_refused(mark: str) -> None:
    line = timeline("faq_nested_call")
    line.seek(7)
    with pytest.raises(MarkError):
        seek_mark(line, mark)
    assert line.position == 7
    line.close()
