"""Programs that try to harm the host: it neither crashes, hangs, nor loses its course."""

import signal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emu.machine import Machine
from emu.traps import DEADLINE, EXCEPTION, PAGE_FAULT, SYSTEM_CALL
from tests.emu.rig import (
    ARCHES,
    CODE,
    CODE_FRAME,
    DATA,
    EXECUTE,
    PAGE,
    READ,
    WRITE,
    Rig,
    Trap,
    map_all,
    rig,
    run_to,
    step_to,
)

TRAPS = {DEADLINE, SYSTEM_CALL, PAGE_FAULT, EXCEPTION}
ALL = READ | WRITE | EXECUTE

# Pieces that random bytes seldom hit, of both architectures.
PIECES = [
    *(b"\x9c", b"\x9d", b"\x58", b"\x50", b"\x5c", b"\xf3\xa4", b"\xf2\xae", b"\xf3\x6d"),
    *(
        b"\xec",
        b"\xcd\x30",
        b"\xcd\x0e",
        b"\x0f\x05",
        b"\x0f\x34",
        b"\xcf",
        b"\xcb",
        b"\x48\xcf",
    ),
    *(b"\x8e\xd0", b"\x8e\xd8", b"\x8e\xe0", b"\x0f\xa9", b"\x0f\xae\x0b", b"\x0f\xae\x13"),
    *(b"\xdb\x2b", b"\xdf\xf1", b"\x9b", b"\xd9\x2b", b"\xf0\x0f\xc7\x0b", b"\xf4", b"\xfa"),
    *(
        b"\xff\xe3",
        b"\xff\x2b",
        b"\xff\x1b",
        b"\x67\xf3\xa4",
        b"\x66\x9d",
        b"\x0f\x0b",
        b"\xf1",
    ),
    *(b"\xb8\x23\0\0\0", b"\xb8\x1b\0\0\0", b"\xb8\x43\0\0\0", b"\xb8\xff\xff\xff\xff"),
    *(b"\xbb\0\0\x10\0", b"\xbb\0\0\x20\0", b"\xbf\xfe\x0f\x10\0", b"\xbc\0\0\x10\0"),
    *(b"\xb9\xff\xff\xff\x7f", b"\x68\0\1\0\0\x9d", b"\x68\0\x40\4\0\x9d", b"\xeb\xfe"),
    *(b"\x89\x03", b"\xc7\x03\xf3\xa4\xeb\xfc", b"\xe8\0\0\0\0", b"\xc8\xff\xff\x1f", b"\xc9"),
]
code = st.one_of(
    st.binary(min_size=1, max_size=60),
    st.lists(
        st.one_of(st.sampled_from(PIECES), st.binary(min_size=1, max_size=3)),
        min_size=1,
        max_size=25,
    ).map(b"".join),
)


def outcome(it: Rig, end: int) -> tuple[list[Trap], tuple[object, ...]]:
    return run_to(it, end, limit=60), it.facts()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(ARCHES),
    code,
    st.sampled_from([0, PAGE - 7, 4 * PAGE - 60]),
    st.sampled_from([READ | EXECUTE, ALL]),
    st.integers(1, 600),
)
def test_any_bytes_end_in_a_trap_and_do_the_same_again(
    arch: str, program: bytes, at: int, rights: int, end: int
) -> None:
    it = rig(arch, program[: 4 * PAGE - at], rights=rights, at=at, pool=2)
    assert it.run(end // 2) in TRAPS
    frozen = it.machine.freeze()
    again = Machine.thaw(it.machine.config, frozen)
    map_all(again, 1, code=CODE_FRAME, rights=rights)
    repeated = Rig(again, again.context(1))

    assert outcome(repeated, end) == outcome(it, end)
    assert it.context.load_register("flags") & 0x3000 == 0  # I/O privilege
    again.close()
    it.machine.close()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(ARCHES),
    code,
    st.sampled_from([0, PAGE - 7, 4 * PAGE - 60]),
    st.sampled_from([READ | EXECUTE, ALL]),
    st.integers(1, 200),
)
def test_any_bytes_do_the_same_when_stepped(
    arch: str, program: bytes, at: int, rights: int, end: int
) -> None:
    whole, stepped = (
        rig(arch, program[: 4 * PAGE - at], rights=rights, at=at, pool=2) for _ in range(2)
    )

    assert run_to(whole, end, limit=60) == step_to(stepped, end, limit=60)
    assert whole.facts() == stepped.facts()
    whole.machine.close()
    stepped.machine.close()


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize(
    "program",
    [
        b"\xf3\xa4" + b"\xeb\xfc",  # a repetition over nothing, for ever
        b"\xb9\xff\xff\xff\xff\xbf\0\0\x20\0\xb0\1\xf3\xaa\xeb\xfe",  # up to the first hole
        b"\x68\0\1\0\0\x9d\xeb\xfe",  # trap flag, for ever
        b"\x68\0\0\4\0\x9d\x8b\x44\x24\1\xeb\xfe",  # alignment checks
        b"\x68\0\x40\0\0\x9d\xcf",  # nested task, and iret
        b"\x31\xe4\x50",  # no stack
        b"\xbc\0\0\0\xf0\xe8\0\0\0\0",  # a stack in the kernel
        b"\xb8\x10\0\0\0\x8e\xd0\xeb\xfe",  # the kernel's data segment
        b"\x31\xc0\x8e\xd0\xeb\xfe",  # the null segment
    ],
)
def test_mischief_runs_out_of_time(arch: str, program: bytes) -> None:
    it = rig(arch, program)
    count = 0
    while it.machine.now < 3000:
        assert it.run(3000) in TRAPS
        count += 1

    assert count <= 3000


@pytest.mark.parametrize("arch", ARCHES)
def test_the_kernels_pages_are_out_of_reach(arch: str) -> None:
    it = rig(arch, b"\x8b\x03")
    tables = it.machine._spaces.tables
    system = tables.system
    for page in (system, system + 0x10_0000):  # the task segment and descriptor tables
        it.context.store_register("rbx" if arch == "amd64" else "ebx", page)
        assert it.run() == PAGE_FAULT
        assert (it.context.address, it.context.error) == (page, 5)
    it.context.ip = system
    assert it.run() == PAGE_FAULT
    assert (it.context.ip, it.context.error) == (system, 0x15)
    assert system > DATA


def test_entering_code_at_every_byte_does_not_fill_the_host() -> None:
    it = rig("amd64", b"\x90" * (4 * PAGE))
    for start in range(CODE, CODE + PAGE, 5):
        it.context.blocks.block(start)

    held = sum(block.count for block in it.context.blocks.cached() if block)
    assert 0 < held < 1 << 20


@pytest.mark.parametrize("arch", ARCHES)
def test_a_keyboard_interrupt_comes_out_of_a_run_that_would_not_end(arch: str) -> None:
    it = rig(arch, "l: inc ebx; jmp l")
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    with pytest.raises(KeyboardInterrupt):
        it.run(1 << 40)
    signal.signal(signal.SIGALRM, before)

    end = it.machine.now + 100
    assert it.run(end) == DEADLINE
    assert it.machine.now == end
