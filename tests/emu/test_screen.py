"""A screen: states of bytes that move at every access, and what it reports of them."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.errors import BadConfigError
from emu.memory import SHARED_BASE
from emu.screen import CAPACITY, READS, REPORT, WRITES, Report, Screen
from emu.traps import DEADLINE, EXCEPTION, PAGE_FAULT
from tests.emu.rig import (
    ARCHES,
    CODE,
    PAGE,
    READ,
    STACK,
    WRITE,
    Rig,
    assemble,
    rig,
    run_to,
    step_to,
)
from tests.emu.snippets import loop_of, snippets

SHARED = 0x30_0000  # where the program sees four pages of shared memory
PAGES = 4
ALL = range(SHARED_BASE, SHARED_BASE + PAGES * PAGE)

FRESH, READ_ONCE, WRITTEN, STALE = range(4)


def table() -> list[int]:
    """Keep what was done to a byte, and report every access to a stale one."""
    entries = [0] * 512
    for state in range(256):
        entries[READS + state] = state
        entries[WRITES + state] = WRITTEN
    entries[READS + FRESH] = READ_ONCE
    entries[READS + STALE] |= REPORT
    entries[WRITES + STALE] |= REPORT
    return entries


def no_batches(batch: list[Report]) -> None:
    raise AssertionError(f"{len(batch)} reports were not expected in mid-run")


def shared_rig(arch: str, source: str | bytes, *, pool: int = 4) -> Rig:
    it = rig(arch, source, pool=pool)
    for index in range(PAGES + 1):
        it.machine.map(1, SHARED + index * PAGE, SHARED_BASE + index * PAGE, READ | WRITE)
    it.machine.write_physical(SHARED_BASE, bytes(range(256)))
    return it


def screen(it: Rig, addresses: range = ALL) -> Screen:
    return it.machine.screen(addresses, table(), no_batches)


Seen = tuple[str, int, int]


def seen(reports: list[Report]) -> list[Seen]:
    return [("rw"[each.is_write], each.address - SHARED_BASE, each.size) for each in reports]


@pytest.mark.parametrize("arch", ARCHES)
def test_states_move_as_the_table_says(arch: str) -> None:
    it = shared_rig(
        arch, f"mov edi, {SHARED}; mov eax, [edi]; mov [edi + 2], ax; jmp l; l: int3"
    )
    screened = screen(it)
    screened.states[8] = STALE
    it.run()

    assert list(screened.states[:10]) == [1, 1, 2, 2, 0, 0, 0, 0, STALE, 0]
    assert screened.drain() == []


# Instruction, and what is reported if all bytes are stale and stay so.
FORMS: dict[str, tuple[str, list[Seen]]] = {
    "load": ("mov eax, [edi + 4]", [("r", 4, 4)]),
    "load of a byte": ("mov al, [edi + 3]", [("r", 3, 1)]),
    "store": ("mov [edi + 4], eax", [("w", 4, 4)]),
    "unaligned store": ("mov [edi + 5], eax", [("w", 5, 4)]),
    "unaligned load, with its words": ("mov eax, [edi + 2]", [("r", 0, 8)]),
    "read, modify, write": ("inc dword ptr [edi]", [("r", 0, 4), ("w", 0, 4)]),
    "exchange": ("xchg [edi], eax", [("r", 0, 4), ("w", 0, 4)]),
    "locked": ("lock xadd [edi + 8], eax", [("r", 8, 4), ("w", 8, 4)]),
    "eight bytes": ("lock cmpxchg8b [DI]", [("r", 0, 8), ("w", 0, 8)]),
    "16 bytes": ("movups xmm0, [edi]", [("r", 0, 8), ("r", 8, 8)]),
    "string": ("mov ecx, 3; mov esi, edi; rep lodsb", [("r", 0, 3)]),
    "over a page": ("mov [edi + 4094], eax", [("w", 4094, 4)]),
    "over the end": (f"mov [edi + {PAGES * PAGE - 2}], eax", [("w", PAGES * PAGE - 2, 2)]),
}


@pytest.mark.parametrize("go", [run_to, step_to])
@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", FORMS)
def test_parts_of_an_access_are_one_report(
    name: str, arch: str, go: Callable[[Rig, int], object]
) -> None:
    source, expected = FORMS[name]
    source = source.replace("DI", "rdi" if arch == "amd64" else "edi")
    it = shared_rig(arch, f"mov edi, {SHARED}; {source}; nop; e: jmp e")
    entries = [STALE | REPORT] * 512
    screened = it.machine.screen(ALL, entries, no_batches)
    screened.states[:] = bytes([STALE]) * len(ALL)
    go(it, 30)

    reports = screened.drain()
    if name == "string":  # each repetition is an access
        expected = [("r", 0, 1), ("r", 1, 1), ("r", 2, 1)]
    assert seen(reports) == expected
    assert {(each.context, each.state) for each in reports} == {(1, STALE)}


def test_a_report_is_of_the_bytes_that_asked_for_it() -> None:
    it = shared_rig("amd64", f"mov edi, {SHARED}; mov rax, [rdi]; mov [rdi], rax; e: jmp e")
    screened = screen(it)
    screened.states[3] = screened.states[4] = STALE
    it.run(10)

    assert screened.drain() == [
        Report(1, SHARED_BASE + 3, 2, is_write=False, state=STALE),
        Report(1, SHARED_BASE + 3, 2, is_write=True, state=STALE),
    ]
    assert screened.drain() == []


def test_many_reports_are_handed_out_in_batches() -> None:
    it = shared_rig("amd64", f"mov edi, {SHARED}; e: mov al, [rdi]; jmp e")
    batches: list[list[Report]] = []
    screened = it.machine.screen(ALL, [REPORT] * 512, batches.append)
    it.run(3 * CAPACITY)

    assert [len(batch) for batch in batches] == [CAPACITY]
    assert len(screened.drain()) == CAPACITY // 2


class _Stop(Exception):
    pass


def test_what_a_taker_of_batches_raises_comes_out_of_the_run() -> None:
    def refuse(batch: list[Report]) -> None:
        raise _Stop

    it = shared_rig("amd64", f"mov edi, {SHARED}; e: mov al, [rdi]; jmp e")
    it.machine.screen(ALL, [REPORT] * 512, refuse)
    with pytest.raises(_Stop):
        it.run()


@pytest.mark.parametrize("arch", ARCHES)
def test_contexts_and_instances_take_turns(arch: str) -> None:
    it = shared_rig(arch, f"mov edi, {SHARED}; e: inc dword ptr [edi]; jmp e", pool=1)
    other = it.machine.create_context(2, space=1, ip=CODE, sp=STACK, thread_base=0)
    screened = it.machine.screen(ALL, [REPORT] * 512, no_batches)
    it.run(3)
    it.machine.run(other, 6)

    assert [each.context for each in screened.drain()] == [1, 1, 2, 2]
    assert it.machine.read_physical(SHARED_BASE, 4) == b"\x02\x01\x02\x03"


def test_a_screen_begins_and_ends_between_two_runs() -> None:
    it = shared_rig("amd64", f"mov edi, {SHARED}; e: inc dword ptr [rdi]; jmp e")
    found = []
    for index in range(4):
        screened = it.machine.screen(ALL, [REPORT] * 512, no_batches)
        it.run(1 + 8 * index + 4)
        it.machine.unscreen()
        it.run(1 + 8 * index + 8)
        found.append(len(screened.drain()))

    assert found == [4, 4, 4, 4]
    assert it.machine.read_physical(SHARED_BASE, 1) == bytes([it.machine.instructions // 2])


def test_the_kernel_and_the_program_see_each_others_writes() -> None:
    it = shared_rig(
        "amd64", f"mov edi, {SHARED}; mov eax, [rdi]; inc eax; mov [rdi + 8], eax; syscall"
    )
    screen(it)
    it.machine.words(SHARED_BASE, 1)[0] = 77
    it.run()

    assert it.machine.words(SHARED_BASE + 8, 1)[0] & 0xFF == 78


@pytest.mark.parametrize("arch", ARCHES)
def test_a_page_that_may_be_executed_is_not_screened(arch: str) -> None:
    code = assemble(f"mov edi, {SHARED}; mov [edi], eax; mov [edi + 4096], eax; e: jmp e", arch)
    for before in (True, False):
        it = shared_rig(arch, b"\xe9" + (SHARED + PAGE + 16 - CODE - 5).to_bytes(4, "little"))
        it.machine.write_physical(SHARED_BASE + PAGE + 16, code)
        if before:
            it.machine.map(1, SHARED + PAGE, SHARED_BASE + PAGE, 7)
        screened = it.machine.screen(ALL, [WRITTEN] * 512, no_batches)
        it.machine.map(1, SHARED + PAGE, SHARED_BASE + PAGE, 7)
        assert it.run(20) == DEADLINE
        assert list(screened.states[:5]) == [WRITTEN] * 4 + [0]
        assert not any(screened.states[PAGE : 2 * PAGE])


@pytest.mark.parametrize("arch", ARCHES)
def test_screened_memory_can_be_watched_too(arch: str) -> None:
    source = (
        f"mov edi, {SHARED}; mov eax, [edi + 1]; movups xmm0, [edi]; inc dword ptr [edi + 4094]"
    )
    records = []
    for both in (False, True):
        it = shared_rig(arch, f"{source}; e: jmp e")
        watched = it.machine.watch(ALL, lambda batch: None)
        if both:
            screened = screen(it)
        it.run(20)
        records.append(watched.drain())
    assert records[0] == records[1]
    assert len(records[0]) == 7
    assert list(screened.states[4094:4098]) == [WRITTEN] * 4


@pytest.mark.parametrize("arch", ARCHES)
def test_faults_are_what_they_are(arch: str) -> None:
    it = shared_rig(arch, f"mov edi, {SHARED}; inc dword ptr [edi]; nop; e: jmp e")
    it.machine.map(1, SHARED, SHARED_BASE, READ)
    screened = screen(it)

    assert it.run() == PAGE_FAULT
    assert (it.context.address, it.context.error, it.machine.instructions) == (SHARED, 7, 1)
    assert it.machine.read_physical(SHARED_BASE, 4) == b"\0\1\2\3"
    assert WRITTEN not in list(screened.states)


@pytest.mark.parametrize(
    ("addresses", "entries", "message"),
    [
        (range(SHARED_BASE + 8, SHARED_BASE + PAGE), [0] * 512, "not of whole pages"),
        (range(0, PAGE), [0] * 512, "not in shared memory"),
        (range(0), [0] * 512, "not in shared memory"),
        (range(SHARED_BASE, SHARED_BASE + (1 << 30)), [0] * 512, "not in shared memory"),
        (ALL, [0] * 511, "table of 512"),
        (ALL, [2 * REPORT] * 512, "table of 512"),
    ],
)
def test_what_cannot_be_screened_is_refused(
    addresses: range, entries: list[int], message: str
) -> None:
    it = shared_rig("amd64", "int3")
    with pytest.raises(BadConfigError, match=message):
        it.machine.screen(addresses, entries, no_batches)
    assert it.run() == EXCEPTION


@settings(max_examples=40, deadline=None)
@given(snippets(), st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_a_screened_run_is_the_same_run(made: tuple[str, list[str]], slices: list[int]) -> None:
    arch, lines = made
    source = loop_of(lines, SHARED + PAGE, SHARED + 2 * PAGE + 64)
    facts = []
    for screened in (False, True):
        it = shared_rig(arch, source)
        if screened:
            it.machine.screen(ALL, table(), no_batches)
        traps = []
        for cycles in slices * 3:
            traps.append((it.run(it.machine.now + cycles), it.context.ip))
            if traps[len(traps) - 1][0] not in (DEADLINE,):
                break
        shown = it.machine.read_physical(SHARED_BASE, (PAGES + 1) * PAGE)
        facts.append((traps, it.facts(), shown))
        it.machine.close()
    assert facts[0] == facts[1]
