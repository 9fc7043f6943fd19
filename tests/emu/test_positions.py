"""A stop before the instruction with a given position, wherever that is."""

from random import Random

import pytest

from emu.traps import DEADLINE, PAGE_FAULT, STEPPED, SYSTEM_CALL
from tests.emu.rig import ARCHES, CODE, Rig, Trap, rig, run_to, trap_of
from tests.emu.test_clock import CPUS, PROGRAMS, program


def stop_often(it: Rig, end: int, *, farthest: int) -> list[Trap]:
    """Run until the clock reaches `end`, stopping up to so many instructions apart."""
    random = Random(farthest)
    machine = it.machine
    seen: list[Trap] = []
    while len(seen) < 200:
        position = machine.instructions + random.randint(1, farthest)
        trap = machine.run_until_position(it.context, end, position)
        if trap == STEPPED:
            assert machine.instructions == position
        elif trap == DEADLINE:
            break
        else:
            assert machine.instructions <= position
            seen.append(trap_of(it, trap))
    return seen


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_stops_at_positions_change_nothing(name: str, arch: str, cpu: str) -> None:
    code, at = program(name, arch)
    end = 900
    plain = rig(arch, code, at=at, cpu=cpu)
    traps = run_to(plain, end)
    for farthest in (1, 3, 50, 1000):
        it = rig(arch, code, at=at, cpu=cpu)
        assert stop_often(it, end, farthest=farthest) == traps
        assert it.facts() == plain.facts()
        it.machine.close()
    plain.machine.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_the_state_at_a_position_is_that_of_stepping_there(arch: str) -> None:
    code, _ = program("long over a page end", arch)
    for position in range(0, 700, 97):
        it, stepped = rig(arch, code), rig(arch, code)
        assert it.machine.run_until_position(it.context, 10_000, position) == STEPPED
        while stepped.machine.instructions < position:
            stepped.machine.step(stepped.context, 10_000)
        assert it.facts() == stepped.facts()


def test_a_position_that_is_reached_or_past_stops_at_once() -> None:
    it = rig("amd64", "syscall; nop; e: jmp e")
    assert it.machine.run_until_position(it.context, 100, 1) == SYSTEM_CALL
    it.context.tag = 5
    before = it.facts()

    assert it.machine.run_until_position(it.context, 100, 1) == STEPPED
    assert it.machine.run_until_position(it.context, 100, 0) == STEPPED
    assert it.facts() == before
    assert it.machine.run_until_position(it.context, 100, 2) == STEPPED
    assert it.context.load_register("rax") == 5


def test_a_repetition_is_gone_through_to_its_end() -> None:
    it = rig("amd64", "mov ecx, 300; mov edi, 0x200000; rep stosb; nop; e: jmp e")
    assert it.machine.run_until_position(it.context, 1000, 2) == STEPPED
    assert (it.context.ip, it.context.load_register("rcx")) == (CODE + 10, 300)
    assert it.machine.run_until_position(it.context, 1000, 3) == STEPPED
    assert (it.context.ip, it.context.load_register("rcx")) == (CODE + 12, 0)


def test_deadline_and_traps_come_first() -> None:
    it = rig("amd64", "nop; nop; mov eax, [0x1000]; nop")
    assert it.machine.run_until_position(it.context, 0, 1) == DEADLINE
    assert it.machine.run_until_position(it.context, 100, 9) == PAGE_FAULT
    assert it.machine.instructions == 2
