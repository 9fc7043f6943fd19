"""What a watch records: every access as the instruction made it, and nothing else changes."""

from collections.abc import Callable, Iterator, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.errors import BadConfigError
from emu.recorder import CAPACITY, Access
from emu.traps import DEADLINE, EXCEPTION, PAGE_FAULT, STEPPED
from emu.watch import Watch
from tests.emu.rig import (
    ARCHES,
    CODE,
    CODE_FRAME,
    DATA,
    DATA_FRAME,
    EXECUTE,
    PAGE,
    READ,
    STACK,
    WRITE,
    Rig,
    rig,
    run_to,
    step_to,
)
from tests.emu.snippets import localise, loop_of, snippets
from tests.emu.test_clock import PROGRAMS, program

WORD = {"amd64": 8, "ia32": 4}
ALL = range(DATA_FRAME, DATA_FRAME + 16 * PAGE)
TOP = STACK - DATA


def no_batches(batch: list[Access]) -> None:
    raise AssertionError(f"{len(batch)} records were not expected in mid-run")


def watch(it: Rig, addresses: range = ALL) -> Watch:
    return it.machine.watch(addresses, no_batches)


Seen = tuple[str, int, int, int]  # kind, offset in the data, size, value


def seen(accesses: Sequence[Access]) -> list[Seen]:
    return [
        ("rw"[each.is_write], each.address - DATA_FRAME, each.size, each.value)
        for each in accesses
    ]


# Name, source, and what it accesses for a word size w.  The data holds the bytes 0, 1, 2 ...
# and its address is in si and, 64 bytes on, in di; ax holds 0x11223344.
FORMS: dict[str, tuple[str, Callable[[int], list[Seen]]]] = {
    "load": ("mov ebx, [SI + 4]", lambda w: [("r", 4, 4, 0x07060504)]),
    "load of a byte": ("mov bl, [SI + 3]", lambda w: [("r", 3, 1, 3)]),
    "load, unaligned": ("mov ebx, [SI + 6]", lambda w: [("r", 6, 4, 0x09080706)]),
    "load with extension": ("movzx ebx, word ptr [SI + 1]", lambda w: [("r", 1, 2, 0x0201)]),
    "store": ("mov [SI + 4], eax", lambda w: [("w", 4, 4, 0x11223344)]),
    "store of a constant": ("mov byte ptr [SI], 0x80", lambda w: [("w", 0, 1, 0x80)]),
    "store of all ones": ("mov dword ptr [SI], -1", lambda w: [("w", 0, 4, 0xFFFFFFFF)]),
    "store, unaligned": ("mov [SI + 61], ax", lambda w: [("w", 61, 2, 0x3344)]),
    "read, modify, write": (
        "add dword ptr [SI], 1",
        lambda w: [("r", 0, 4, 0x03020100), ("w", 0, 4, 0x03020101)],
    ),
    "compare": ("cmp [SI], al", lambda w: [("r", 0, 1, 0)]),
    "push": ("push AX", lambda w: [("w", TOP - w, w, 0x11223344)]),
    "push of memory": (
        "push [SI]",
        lambda w: [
            ("r", 0, w, 0x0706050403020100 & (1 << 8 * w) - 1),
            ("w", TOP - w, w, 0x0706050403020100 & (1 << 8 * w) - 1),
        ],
    ),
    "pop": ("pop BX", lambda w: [("r", TOP, w, 0)]),
    "pop to memory": (".byte 0x8f, 0x06", lambda w: [("r", TOP, w, 0), ("w", 0, w, 0)]),
    "exchange": (
        "xchg [SI], eax",
        lambda w: [("r", 0, 4, 0x03020100), ("w", 0, 4, 0x11223344)],
    ),
    "locked add": (
        "lock xadd [SI], eax",
        lambda w: [("r", 0, 4, 0x03020100), ("w", 0, 4, 0x14243444)],
    ),
    "locked compare and exchange, not equal": (
        "lock cmpxchg [SI], ebx",
        lambda w: [("r", 0, 4, 0x03020100), ("w", 0, 4, 0x03020100)],
    ),
    "compare and exchange of two words": (
        "cmpxchg8b [SI]",
        lambda w: [("r", 0, 8, 0x0706050403020100), ("w", 0, 8, 0x0706050403020100)],
    ),
    "load of 16 bytes": (
        "movups xmm0, [SI + 1]",
        lambda w: [("r", 1, 8, 0x0807060504030201), ("r", 9, 8, 0x100F0E0D0C0B0A09)],
    ),
    "store of 16 bytes": (
        "movups [SI + 3], xmm0",
        lambda w: [("w", 3, 8, 0), ("w", 11, 8, 0)],
    ),
    "load of 10 bytes": (
        "fld tbyte ptr [SI]",
        lambda w: [("r", 0, 8, 0x0706050403020100), ("r", 8, 2, 0x0908)],
    ),
    "one string operation": ("movsb", lambda w: [("r", 0, 1, 0), ("w", 64, 1, 0)]),
    "string compare": ("cmpsb", lambda w: [("r", 64, 1, 64), ("r", 0, 1, 0)]),
    "repeated move": (
        "mov ecx, 2; .byte 0xf3, 0xa5",
        lambda w: [
            ("r", 0, 4, 0x03020100),
            ("w", 64, 4, 0x03020100),
            ("r", 4, 4, 0x07060504),
            ("w", 68, 4, 0x07060504),
        ],
    ),
    "repeated store": (
        "mov ecx, 3; rep stosb",
        lambda w: [("w", 64 + i, 1, 0x44) for i in range(3)],
    ),
    "repeated load": ("mov ecx, 3; rep lodsb", lambda w: [("r", i, 1, i) for i in range(3)]),
    "repeated, not at all": ("mov ecx, 0; rep movsb", lambda w: []),
    "repeated compare": (
        "mov ecx, 3; repe cmpsb",
        lambda w: [("r", 64, 1, 64), ("r", 0, 1, 0)],
    ),
    "over the end of a page": (
        "mov [SI + 4094], eax",
        lambda w: [("w", 4094, 2, 0x3344), ("w", 4096, 2, 0x1122)],
    ),
    "load over the end of a page": (
        "mov [SI + 4094], eax; mov ebx, [SI + 4093]",
        lambda w: [
            ("w", 4094, 2, 0x3344),
            ("w", 4096, 2, 0x1122),
            ("r", 4093, 3, 0x3344 << 8),
            ("r", 4096, 1, 0x22),
        ],
    ),
    "16 bytes over the end of a page": (
        "movups xmm0, [SI + 4085]",
        lambda w: [("r", 4085, 8, 0), ("r", 4093, 3, 0), ("r", 4096, 5, 0)],
    ),
}


def form(name: str, arch: str) -> tuple[Rig, list[Seen]]:
    source, expected = FORMS[name]
    source = localise(source, arch)
    start = f"mov esi, {DATA}; mov edi, {DATA + 64}; mov eax, 0x11223344"
    it = rig(arch, f"{start}; {source}; int3")
    it.machine.write(1, DATA, bytes(range(128)))
    return it, expected(WORD[arch])


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_access_is_recorded_exactly(name: str, arch: str) -> None:
    for go in (run_to, step_to):
        it, expected = form(name, arch)
        watched = watch(it)

        assert go(it, 1000, limit=1)[0][0] == EXCEPTION
        assert seen(watched.drain()) == expected
        it.machine.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_a_call_stores_and_a_return_loads_the_return_address(arch: str) -> None:
    it = rig(arch, localise(f"mov eax, {CODE + 9}; call AX; int3; nop; ret", arch))
    watched = watch(it)
    it.run()

    word, back = WORD[arch], CODE + 7
    assert seen(watched.drain()) == [
        ("w", TOP - word, word, back),
        ("r", TOP - word, word, back),
    ]


@pytest.mark.parametrize("arch", ARCHES)
def test_records_say_who_where_and_when(arch: str) -> None:
    it = rig(
        arch,
        f"mov edi, {DATA}; nop; mov [edi], eax; mov ecx, 2; rep stosb; jmp l;"
        "l: inc dword ptr [edi]",
    )
    watched = watch(it)
    it.run(10)

    rep = CODE + 5 + 1 + (3 if arch == "amd64" else 2) + 5
    assert [(a.position, a.context, a.ip) for a in watched.drain()] == [
        (2, 1, CODE + 6),
        (4, 1, rep),
        (4, 1, rep),
        (6, 1, rep + 4),
        (6, 1, rep + 4),
    ]


def test_only_the_range_is_recorded() -> None:
    it = rig(
        "amd64",
        f"mov edi, {DATA}; mov [rdi], al; mov [rdi + 4096], al; mov [rdi + 8192], al; int3",
    )
    watched = watch(it, range(DATA_FRAME + PAGE, DATA_FRAME + 2 * PAGE))
    it.run()

    assert seen(watched.drain()) == [("w", PAGE, 1, 0)]


def test_fetching_code_is_no_access() -> None:
    it = rig("amd64", "nop; jmp l; l: nop; int3")
    watched = watch(it, range(0, it.machine.config.ram))
    it.run()

    assert watched.drain() == []


def test_no_addresses_record_no_accesses() -> None:
    it = rig("amd64", f"mov edi, {DATA}; mov [rdi], al; int3")
    watched = watch(it, range(0))
    it.run()

    assert watched.drain() == []


# -- accesses over the end of a page ---------------------------------------------------


@pytest.mark.parametrize("go", [run_to, step_to])
def test_an_access_may_begin_outside_the_range(go: Callable[..., object]) -> None:
    it = rig(
        "amd64",
        f"mov edi, {DATA + PAGE}; mov rax, -1; mov [rdi - 3], rax; mov ebx, [rdi - 1]; int3",
    )
    watched = watch(it, range(DATA_FRAME + PAGE, DATA_FRAME + 2 * PAGE))
    go(it, 1000, limit=1)

    assert seen(watched.drain()) == [
        ("w", PAGE, 5, 0xFF_FFFF_FFFF),
        ("r", PAGE, 3, 0xFFFFFF),
    ]


def test_a_page_mapped_before_a_watched_one_later_is_noticed() -> None:
    it = rig("amd64", f"mov edi, {DATA}; mov [rdi - 1], ax; int3")
    watched = watch(it)
    it.run()
    assert seen(watched.drain()) == []
    it.machine.map(1, DATA - PAGE, 0, READ | WRITE)
    it.run()

    assert seen(watched.drain()) == [("w", 0, 1, 0)]


@pytest.mark.parametrize("access", ["mov [rdi - 1], ax", "mov ax, [rdi - 1]"])
@pytest.mark.parametrize("go", [run_to, step_to])
def test_an_access_that_faults_in_its_second_page_is_recorded_once_done(
    access: str, go: Callable[..., object]
) -> None:
    it = rig("amd64", f"mov edi, {DATA + 16 * PAGE}; {access}; int3")
    watched = watch(it)
    go(it, 1000, limit=1)
    assert watched.drain() == []
    it.machine.map(1, DATA + 16 * PAGE, 0, READ | WRITE)
    go(it, 1000, limit=1)

    kind = "rw"[access.endswith("ax")]
    assert seen(watched.drain()) == [(kind, 16 * PAGE - 1, 1, 0)]


def test_a_store_over_the_end_into_a_read_only_page_is_not_recorded() -> None:
    it = rig("amd64", f"mov edi, {DATA + PAGE}; mov [rdi - 1], ax; int3")
    it.machine.map(1, DATA + PAGE, DATA_FRAME + PAGE, READ)
    watched = watch(it)

    assert it.run() == PAGE_FAULT
    assert watched.drain() == []


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    "access", ["mov [BX + 1], eax", "mov [BX + CX*2 - 9], eax", "mov esi, ebx; inc esi; lodsd"]
)
def test_of_a_frame_shown_twice_the_instruction_tells_the_page_behind(
    arch: str, place: int, access: str
) -> None:
    letter = "r" if arch == "amd64" else "e"
    access = access.replace("BX", letter + "bx").replace("CX", letter + "cx")
    first, second = DATA + 20 * PAGE, DATA + 30 * PAGE
    it = rig(arch, f"mov ecx, 5; mov ebx, {(first, second)[place] + PAGE - 4}; {access}; int3")
    for index, page in enumerate((first, second)):
        it.machine.map(1, page, DATA_FRAME, READ | WRITE)
        it.machine.map(1, page + PAGE, DATA_FRAME + (4 + index) * PAGE, READ | WRITE)
    watched = watch(it, range(DATA_FRAME + 4 * PAGE, DATA_FRAME + 6 * PAGE))
    it.run()

    kind = "r" if "lodsd" in access else "w"
    assert seen(watched.drain()) == [(kind, (4 + place) * PAGE, 1, 0)]


def test_many_pages_before_watched_ones() -> None:
    it = rig(
        "amd64",
        f"mov edi, {DATA + 0x20000 + PAGE}; mov ecx, 12;"
        "l: mov [rdi - 1], ax; add edi, 8192; loop l; int3",
    )
    for index in range(12):
        page = DATA + 0x20000 + 2 * index * PAGE
        it.machine.map(1, page, (0x60 + index) * PAGE, READ | WRITE)
        it.machine.map(1, page + PAGE, DATA_FRAME, READ | WRITE)
    watched = watch(it, range(DATA_FRAME, DATA_FRAME + PAGE))
    it.run()

    assert seen(watched.drain()) == [("w", 0, 1, 0)] * 12


# -- faults and stops --------------------------------------------------------------------


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("go", [run_to, step_to])
@pytest.mark.parametrize("read", ["push [DI]", "movsb", "mov ecx, 2; rep movsb"])
def test_what_an_instruction_reads_before_it_faults_it_reads_again(
    arch: str, go: Callable[..., object], read: str
) -> None:
    letter = "r" if arch == "amd64" else "e"
    hole = DATA + 16 * PAGE
    source = f"mov esi, {DATA}; mov edi, {DATA}; l: {read.replace('DI', letter + 'di')}; int3"
    if "push" not in read:
        source = source.replace("l:", f"mov edi, {hole}; l:")
    it = rig(arch, source)
    if "push" in read:
        it.context.sp = hole + PAGE
    watched = watch(it)
    go(it, 1000, limit=1)
    assert watched.drain() == []
    it.machine.map(1, hole, 0, READ | WRITE)
    go(it, 1000, limit=1)

    size = WORD[arch] if "push" in read else 1
    times = 2 if "rep" in read else 1
    assert [(a.address - DATA_FRAME, a.size) for a in watched.drain()] == [
        (index, size) for index in range(times)
    ]


def test_a_fault_in_a_repetition_keeps_what_the_others_read() -> None:
    it = rig("amd64", f"mov esi, {DATA + 16 * PAGE - 3}; mov ecx, 9; rep lodsb; int3")
    watched = watch(it)

    assert it.run() == PAGE_FAULT
    assert seen(watched.drain()) == [("r", 16 * PAGE - 3 + i, 1, 0) for i in range(3)]


def test_code_that_is_written_where_it_runs_is_written_once() -> None:
    rights = READ | WRITE | EXECUTE
    it = rig("amd64", "lea rdi, [rip + 64]; add dword ptr [rdi], 1; nop; int3", rights=rights)
    watched = watch(it, range(CODE_FRAME, CODE_FRAME + PAGE))

    assert it.run() == EXCEPTION
    assert [(a.is_write, a.address, a.value) for a in watched.drain()] == [
        (False, CODE_FRAME + 71, 0),
        (True, CODE_FRAME + 71, 1),
    ]


def test_a_write_that_turns_code_to_data_first_is_done_once() -> None:
    rights = READ | WRITE | EXECUTE
    it = rig(
        "amd64",
        f"mov edi, {CODE + PAGE}; add dword ptr [rdi], 1; jmp l; l: nop; int3",
        rights=rights,
    )
    watched = watch(it, range(CODE_FRAME + PAGE, CODE_FRAME + 2 * PAGE))

    assert it.run() == EXCEPTION
    assert [(a.is_write, a.value) for a in watched.drain()] == [(False, 0), (True, 1)]


@pytest.mark.parametrize("arch", ARCHES)
def test_flags_pushed_in_a_step_are_recorded_as_they_are_in_memory(arch: str) -> None:
    it = rig(arch, "pushf; int3" if arch == "amd64" else "pushfd; int3")
    watched = watch(it)
    step_to(it, 1000, limit=1)

    assert [a.value for a in watched.drain()] == [0x202]


# -- batches -------------------------------------------------------------------------------


def test_many_records_are_handed_out_in_batches() -> None:
    count = 3 * CAPACITY
    it = rig("amd64", f"mov edi, {DATA}; mov ecx, {count}; l: mov [rdi], ecx; loop l; int3")
    batches: list[list[Access]] = []
    watched = it.machine.watch(ALL, batches.append)
    it.run()

    batches.append(watched.drain())
    values = [access.value for batch in batches for access in batch]
    assert values == list(range(count, 0, -1))
    assert [len(batch) for batch in batches] == [CAPACITY, CAPACITY, CAPACITY, 0]


def test_a_block_with_more_records_than_a_batch_is_handed_out_whole() -> None:
    # fxsave, 600 times
    it = rig("amd64", b"\xbf" + DATA.to_bytes(4, "little") + b"\x0f\xae\x07" * 600 + b"\xcc")
    batches: list[list[Access]] = []
    watched = it.machine.watch(ALL, batches.append)
    it.run()

    records = [*(a for batch in batches for a in batch), *watched.drain()]
    assert len(records) > 2 * CAPACITY
    positions = [a.position for a in records]
    assert positions == sorted(positions)
    assert set(positions) == set(range(1, 601))


class _Stop(Exception):
    pass


def test_what_a_taker_of_batches_raises_comes_out_of_the_run() -> None:
    def refuse(batch: list[Access]) -> None:
        raise _Stop

    it = rig("amd64", f"mov edi, {DATA}; e: mov [rdi], ecx; jmp e")
    it.machine.watch(ALL, refuse)
    with pytest.raises(_Stop):
        it.run()


# -- switching -----------------------------------------------------------------------------


def test_a_watch_begins_and_ends_between_two_runs() -> None:
    it = rig("amd64", f"mov edi, {DATA}; e: mov [rdi], ecx; inc ecx; jmp e")
    it.run(7)
    first = watch(it)
    it.run(13)
    it.machine.unwatch()
    it.run(19)
    second = watch(it, range(DATA_FRAME, DATA_FRAME + PAGE))
    it.run(25)

    assert [a.value for a in first.drain()] == [2, 3]
    assert [a.value for a in second.drain()] == [6, 7]


@pytest.mark.parametrize("arch", ARCHES)
def test_the_first_fault_of_a_run_with_or_after_a_watch_is_what_it_is(arch: str) -> None:
    it = rig(arch, f"mov ebx, [{DATA + 16 * PAGE}]; jmp l; l: nop")
    traps = [it.run()]
    watch(it)
    traps.append(it.run())
    it.machine.unwatch()
    traps.append(it.run())

    assert traps == [PAGE_FAULT] * 3


def test_contexts_take_turns_in_one_instance() -> None:
    it = rig("amd64", f"mov edi, {DATA}; e: inc dword ptr [rdi]; jmp e", pool=1)
    machine = it.machine
    other = machine.create_context(2, space=1, ip=CODE, sp=STACK, thread_base=0)
    watched = watch(it)
    for deadline in range(10, 50, 10):
        machine.run(it.context, deadline)
        machine.run(other, deadline + 5)

    drained = watched.drain()
    values = [a.value for a in drained if a.is_write]
    assert values == list(range(1, len(values) + 1))
    assert {a.context for a in drained} == {1, 2}


@pytest.mark.parametrize(
    ("addresses", "message"),
    [
        (range(8, PAGE), "not of whole pages"),
        (range(0, 100), "not of whole pages"),
        (range(0, PAGE, 2), "not of whole pages"),
        (range(0x7000_0000, 0x7000_1000), "not in RAM"),
        (range(0xC000_0000, 0xC000_1000), "not in RAM"),
    ],
)
def test_only_whole_pages_of_memory_can_be_watched(addresses: range, message: str) -> None:
    it = rig("amd64", "nop")
    with pytest.raises(BadConfigError, match=message):
        it.machine.watch(addresses, no_batches)
    assert it.machine.stack(it.context)[0].is_mark  # there is no watch


def test_a_refused_watch_leaves_the_one_there_is() -> None:
    it = rig("amd64", f"mov edi, {DATA}; mov [rdi], al; int3")
    watched = watch(it)
    with pytest.raises(BadConfigError):
        it.machine.watch(range(8), no_batches)
    it.run()

    assert seen(watched.drain()) == [("w", 0, 1, 0)]


# -- nothing else changes, and nothing depends on how the run is cut ---------------------------


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_records_do_not_depend_on_how_a_run_is_cut_nor_it_on_them(name: str, arch: str) -> None:
    code, at = program(name, arch)
    end = 900
    plain = rig(arch, code, at=at)
    traps = run_to(plain, end)

    records: list[list[Access]] = []
    for go in (run_to, _sliced, step_to):
        it = rig(arch, code, at=at)
        batches: list[Access] = []
        watched = it.machine.watch(range(0, 1 << 20), batches.extend)
        assert go(it, end) == traps
        assert it.facts() == plain.facts()
        records.append([*batches, *watched.drain()])
        it.machine.close()
    assert records[0] == records[1] == records[2]
    plain.machine.close()


def _sliced(it: Rig, end: int) -> list[tuple[int, int, int, int, int, int]]:
    return run_to(it, end, slices=tuple(range(3, end, 7)))


@settings(max_examples=60, deadline=None)
@given(snippets(), st.integers(0, 1 << 32))
def test_the_records_give_the_content_of_memory(made: tuple[str, list[str]], seed: int) -> None:
    random = Random(seed)
    arch, lines = made
    source = loop_of(lines, DATA + 3 * PAGE, DATA + 5 * PAGE)
    content = random.randbytes(16 * PAGE)
    plain, it = rig(arch, source), rig(arch, source)
    for each in (plain, it):
        each.machine.write(1, DATA, content)
    watched = it.machine.watch(range(0, 1 << 20), lambda batch: _replay(image, batch))
    image = bytearray(it.machine.read_physical(0, 1 << 20))

    for deadline in _deadlines(random):
        trap = it.run(deadline)
        assert trap == plain.run(deadline)
        _replay(image, watched.drain())
        assert image == it.machine.read_physical(0, 1 << 20)
        if trap not in (DEADLINE, STEPPED):
            break
    assert it.facts() == plain.facts()
    it.machine.close()
    plain.machine.close()


def _deadlines(random: Random) -> Iterator[int]:
    now = 0
    while now < 600:
        now += random.randrange(1, 120)
        yield now


def _replay(image: bytearray, accesses: Sequence[Access]) -> None:
    for each in accesses:
        value = each.value.to_bytes(each.size, "little")
        if each.is_write:
            image[each.address : each.address + each.size] = value
        else:
            assert image[each.address : each.address + each.size] == value
