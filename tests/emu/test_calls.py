"""The stack of calls that a watch keeps for every context."""

import pytest

from emu.calls import Calls, Frame
from emu.errors import UsageError
from emu.recorder import Access
from emu.traps import DEADLINE, EXCEPTION, PAGE_FAULT, STEPPED, SYSTEM_CALL
from tests.emu.rig import ARCHES, CALL_PAGE, CODE, DATA, PAGE, STACK, Rig, assemble, rig
from tests.emu.snippets import localise

WORD = {"amd64": 8, "ia32": 4}
MARK = Frame(0, 0, 0, 0)


def watched(arch: str, source: str | bytes) -> Rig:
    """Give a rig that is watched; its data is not."""
    it = rig(arch, localise(source, arch) if isinstance(source, str) else source)
    it.machine.watch(range(0), _no_records)
    return it


def _no_records(batch: list[Access]) -> None:
    raise AssertionError(batch)


def calls(it: Rig) -> list[int]:
    """Where the calls of the stack are, in bytes behind the start of the code."""
    return [frame.call - CODE for frame in it.machine.stack(it.context)]


@pytest.mark.parametrize("arch", ARCHES)
def test_a_stack_says_who_called_what_from_where(arch: str) -> None:
    it = watched(arch, "nop; call f; nop; f: nop; call g; nop; g: int3")
    assert it.machine.stack(it.context) == ()
    it.run()

    word = WORD[arch]
    assert it.machine.stack(it.context) == (
        Frame(CODE + 1, CODE + 6, CODE + 7, STACK - word),
        Frame(CODE + 8, CODE + 13, CODE + 14, STACK - 2 * word),
    )


@pytest.mark.parametrize("arch", ARCHES)
def test_a_frame_is_there_when_the_call_is_done_and_until_it_returns(arch: str) -> None:
    it = watched(arch, "call f; int3; f: nop; ret")
    seen = []
    for _ in range(4):
        it.machine.step(it.context, 1000)
        seen.append(calls(it))
    assert seen == [[0], [0], [], []]


@pytest.mark.parametrize("arch", ARCHES)
def test_a_stop_between_call_and_function_shows_the_call(arch: str) -> None:
    it = watched(arch, "call f; int3; f: nop; ret")
    assert it.run(1) == DEADLINE
    assert calls(it) == [0]


@pytest.mark.parametrize("arch", ARCHES)
def test_a_call_into_nowhere_is_a_call(arch: str) -> None:
    it = watched(arch, "mov eax, 0x5000; call AX")
    assert it.run() == PAGE_FAULT
    assert calls(it) == [5]
    assert it.run() == PAGE_FAULT
    assert calls(it) == [5]


@pytest.mark.parametrize("arch", ARCHES)
def test_a_call_that_cannot_store_its_return_address_is_none(arch: str) -> None:
    it = watched(arch, "call f; int3; f: int3")
    it.context.sp = 0x6000
    assert it.run() == PAGE_FAULT
    assert calls(it) == []
    it.machine.map(1, 0x5000, 0, 6)
    assert it.run() == EXCEPTION
    assert calls(it) == [0]


@pytest.mark.parametrize("arch", ARCHES)
def test_a_tail_call_runs_in_the_frame_of_its_caller(arch: str) -> None:
    it = watched(arch, "call f; int3; f: jmp g; g: call h; ret; h: int3")
    it.run()
    assert [frame.entry - CODE for frame in it.machine.stack(it.context)] == [6, 14]
    assert calls(it) == [0, 8]


@pytest.mark.parametrize("arch", ARCHES)
def test_a_long_jump_leaves_all_frames_that_it_jumps_over(arch: str) -> None:
    it = watched(
        arch,
        "mov BX, SP; call f; l: int3; f: call g; ret; g: call h; ret; h: mov SP, BX; jmp l",
    )
    assert it.run() == EXCEPTION
    assert calls(it) == []


@pytest.mark.parametrize("arch", ARCHES)
def test_a_jump_to_a_pushed_address_is_no_return(arch: str) -> None:
    it = watched(
        arch, f"call f; f: pop AX; call g; int3; g: mov eax, {CODE + 20}; push AX; ret"
    )
    it.machine.write(1, CODE + 20, b"\xcc" * 8)
    it.run()
    assert len(calls(it)) == 1


@pytest.mark.parametrize("arch", ARCHES)
def test_reading_the_ip_by_a_call_is_no_call(arch: str) -> None:
    it = watched(arch, "call f; f: pop AX; jmp l; l: int3")
    it.run()
    assert calls(it) == []


@pytest.mark.parametrize("arch", ARCHES)
def test_a_call_in_a_slot_used_before_replaces_the_frame(arch: str) -> None:
    # f drops its return address and calls: that is no frame inside f.
    it = watched(arch, "call f; int3; f: pop AX; call g; int3; g: int3")
    it.run()
    assert calls(it) == [len(assemble("call l; int3; pop eax; l:", "ia32"))]


@pytest.mark.parametrize("arch", ARCHES)
def test_frames_of_another_stack_below_go_when_it_is_left(arch: str) -> None:
    source = (
        f"call f; nop; f: mov BX, SP; mov esp, {DATA + PAGE}; call g; g1: int3; nop; g: ret"
    )
    if arch == "amd64":
        source = source.replace("mov esp", "mov rsp")
    it = watched(arch, source.replace("g1: int3; nop", "mov SP, BX; call h; int3; h: int3"))
    it.run()
    assert len(calls(it)) == 2


@pytest.mark.parametrize("arch", ARCHES)
def test_the_stack_shows_what_lies_at_or_above_the_stack_pointer(arch: str) -> None:
    it = watched(
        arch,
        "call f; nop; f: call g; nop; g: TRAP; nop".replace(
            "TRAP", "syscall" if arch == "amd64" else "int 0x30"
        ),
    )
    assert it.run() == SYSTEM_CALL
    assert calls(it) == [0, 6]
    it.context.sp = STACK - WORD[arch]
    assert calls(it) == [0]


def test_the_call_page_is_called() -> None:
    it = watched("ia32", f"mov edi, {CALL_PAGE}; call edi; nop")
    it.run()
    assert it.machine.stack(it.context) == (Frame(CODE + 5, CODE + 7, CALL_PAGE, STACK - 4),)
    it.run(it.machine.now + 2)
    assert calls(it) == []


def test_a_call_with_the_trap_flag_is_a_call() -> None:
    it = watched("amd64", "pushf; or dword ptr [rsp], 0x100; popf; call f; nop; f: nop")
    seen = []
    for _ in range(2):
        it.run()
        seen.append((it.context.vector, len(calls(it))))
    assert seen == [(1, 1), (1, 1)]


def test_contexts_have_stacks_of_their_own() -> None:
    it = rig("amd64", "call f; nop; f: call g; nop; g: jmp g", pool=1)
    other = it.machine.create_context(2, space=1, ip=CODE, sp=STACK - 0x200, thread_base=0)
    it.machine.watch(range(0), _no_records)
    it.run(1)
    it.machine.run(other, 3)
    it.run(4)

    first, second = it.machine.stack(it.context), it.machine.stack(other)
    assert [frame.sp for frame in first] == [STACK - 8, STACK - 16]
    assert [frame.sp for frame in second] == [STACK - 0x208, STACK - 0x210]


# -- marks -----------------------------------------------------------------------------------


def test_without_a_watch_nothing_is_known() -> None:
    it = rig("amd64", "call f; nop; f: call g; nop; g: jmp g")
    assert it.machine.stack(it.context) == (MARK,)
    with pytest.raises(UsageError, match="nothing is watched"):
        it.machine.store_stack(it.context, ())


def test_of_a_context_that_ran_before_the_watch_began_the_rest_is_known() -> None:
    it = rig("amd64", "call f; nop; f: call g; nop; g: jmp g")
    it.run(1)
    it.machine.watch(range(0), _no_records)
    assert it.machine.stack(it.context) == (MARK,)
    it.run(2)
    assert it.machine.stack(it.context) == (
        MARK,
        Frame(CODE + 6, CODE + 11, CODE + 12, STACK - 16),
    )


def test_a_stored_stack_goes_on_in_a_thawed_machine() -> None:
    it = watched("amd64", "call f; nop; f: call g; nop; g: jmp g")
    it.run(1)
    frozen, stack = it.machine.freeze(), it.machine.stack(it.context)
    it.run(3)

    machine = type(it.machine).thaw(it.machine.config, frozen)
    for index in range(4):
        machine.map(1, CODE + index * PAGE, 0x1_0000 + index * PAGE, 5)
    for index in range(16):
        machine.map(1, DATA + index * PAGE, 0x4_0000 + index * PAGE, 6)
    machine.watch(range(0), _no_records)
    context = machine.context(1)
    assert machine.stack(context) == (MARK,)
    machine.store_stack(context, stack)
    machine.run(context, 3)
    assert machine.stack(context) == it.machine.stack(it.context)


@pytest.mark.parametrize("arch", ARCHES)
def test_of_a_deep_stack_the_oldest_frames_are_dropped(arch: str) -> None:
    it = watched(arch, "mov ecx, 1500; f: dec ecx; jz e; call f; nop; e: int3")
    it.run()

    stack = it.machine.stack(it.context)
    assert stack[0].is_mark
    assert not any(frame.is_mark for frame in stack[1:])
    assert stack[0].sp + len(stack) - 1 == 1499
    assert 512 <= len(stack) - 1 <= 1024
    assert stack[len(stack) - 1].sp == STACK - 1499 * WORD[arch]


def test_behind_the_mark_there_is_nothing_to_leave() -> None:
    calls = Calls(deepest=4)
    for number in range(6):
        calls.enter(10, 15, 100, 1000 - 8 * number)
    assert [frame.sp for frame in calls.frames(calls.path)] == [2, 984, 976, 968, 960]
    assert calls.depth == 6
    calls.unwind(2000)
    assert calls.frames(calls.path) == (Frame(0, 0, 0, 2),)
    assert (calls.depth, calls.low) == (2, 0)
    calls.enter(20, 25, 100, 990)
    assert calls.depth == 3


def test_when_there_are_too_many_paths_all_are_forgotten() -> None:
    calls = Calls(nodes=10)
    calls.switch(1)
    calls.enter(1, 2, 3, 500)
    first = calls.path
    calls.switch(2)
    for number in range(9):
        calls.enter(10, 15, 100, 1000 - 8 * number)
    last = calls.path
    calls.enter(10, 15, 100, 600)

    assert calls.frames(calls.path) == (MARK, Frame(10, 15, 100, 600))
    assert calls.path > last
    assert calls.frames(first) == calls.frames(last) == (MARK,)
    calls.switch(1)
    assert calls.frames(calls.path) == (MARK,)
    assert calls.low == 0


def test_equal_paths_are_one() -> None:
    calls = Calls()
    seen = set()
    for _ in range(3):
        calls.enter(10, 15, 100, 1000)
        calls.enter(110, 115, 200, 900)
        seen.add(calls.path)
        calls.unwind(2000)
        calls.enter(20, 25, 100, 1000)
        calls.enter(110, 115, 200, 900)
        seen.add(calls.path)
        calls.unwind(2000)
    assert len(seen) == 2
    assert calls.path == 0


# -- what a record tells -----------------------------------------------------------------------


def test_low_tells_a_second_call_from_the_first_still_running() -> None:
    # f stores twice, and is called twice from one place; g, which f calls, does not.
    it = rig(
        "amd64",
        f"mov edi, {DATA}; mov ecx, 2; l: call f; loop l; int3;"
        "f: mov [rdi], al; call g; mov [rdi], al; ret; g: ret",
    )
    records: list[Access] = []
    window = range(0x4_0000, 0x4_1000)
    watched = it.machine.watch(window, records.extend)
    it.run()

    records += watched.drain()
    assert len({record.path for record in records}) == 1
    assert [record.low for record in records] == [0, 1, 0, 1]
    assert watched.path(it.context) == (0, 0)


def test_asking_for_the_path_counts_as_a_record() -> None:
    it = watched("amd64", "call f; nop; f: call g; syscall; ret; g: syscall; ret")
    machine = it.machine
    watch = machine.watch(range(0), _no_records)
    seen = []
    for _ in range(2):
        it.run()
        path, low = watch.path(it.context)
        seen.append((len(watch.frames(path)), low))
        seen.append((len(watch.frames(path)), watch.path(it.context)[1]))
    assert seen == [(2, 0), (2, 2), (1, 1), (1, 1)]


@pytest.mark.parametrize("arch", ARCHES)
def test_stacks_do_not_depend_on_how_a_run_is_cut(arch: str) -> None:
    source = (
        f"mov edi, {DATA}; mov ecx, 6; call f; e: jmp e; f: dec ecx; jz r; push CX; call f;"
        "mov [DI], cl; call g; pop CX; r: ret; g: mov [DI], cl; jmp r"
    )
    seen = []
    for cuts in ((), tuple(range(1, 200, 3)), None):
        it = rig(arch, localise(source, arch))
        records: list[Access] = []
        watch = it.machine.watch(range(0x4_0000, 0x4_1000), records.extend)
        if cuts is None:
            while it.machine.step(it.context, 200) == STEPPED:
                pass
        else:
            for cut in (*cuts, 200):
                it.run(cut)
        records += watch.drain()
        seen.append([(record, watch.frames(record.path)) for record in records])
    assert seen[0] == seen[1] == seen[2]
    assert max(len(frames) for _, frames in seen[0]) == 6
