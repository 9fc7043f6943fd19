"""Breaks: a run stops before chosen instructions, and is the same run all the same."""

import pytest

from emu.traps import DEADLINE, STEPPED
from tests.emu.rig import ARCHES, Rig, Trap, rig, run_to, trap_of
from tests.emu.test_clock import PROGRAMS, program


def stop_everywhere(it: Rig, end: int) -> tuple[list[Trap], list[int]]:
    """Run until the clock reaches `end`, stopping at every break; traps and positions."""
    machine = it.machine
    seen: list[Trap] = []
    stops: list[int] = []
    while len(seen) < 200:
        trap = machine.run(it.context, end)
        if trap == STEPPED:
            stops.append(machine.instructions)
            machine.pass_breaks(machine.instructions)
        elif trap == DEADLINE:
            break
        else:
            seen.append(trap_of(it, trap))
    return seen, stops


def places(name: str, arch: str, end: int) -> list[tuple[int, int]]:
    """Step through a program: the position and address of every instruction completed."""
    code, at = program(name, arch)
    it = rig(arch, code, at=at)
    found: list[tuple[int, int]] = []
    while True:
        where = it.machine.instructions, it.context.ip
        trap = it.machine.step(it.context, end)
        if trap == DEADLINE or len(found) > 2000:
            break
        if it.machine.instructions > where[0]:
            found.append(where)
    it.machine.close()
    return found


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_run_stops_at_every_break_and_stays_the_same_run(name: str, arch: str) -> None:
    end = 300
    code, at = program(name, arch)
    plain = rig(arch, code, at=at)
    traps = run_to(plain, end)
    executed = places(name, arch, end)
    for address in sorted({address for _, address in executed})[:6]:
        it = rig(arch, code, at=at)
        it.machine.set_breaks(it.context.space.number, frozenset((address,)))
        seen, stops = stop_everywhere(it, end)
        assert seen == traps
        assert it.facts() == plain.facts()
        wanted = {position for position, where in executed if where == address}
        assert wanted <= set(stops)
        assert len(stops) == len(set(stops))
        it.machine.close()
    plain.machine.close()


@pytest.mark.parametrize("arch", ARCHES)
def test_a_break_that_is_taken_away_stops_nothing(arch: str) -> None:
    it = rig(arch, "nop; nop; e: jmp e")
    start = it.context.ip
    it.machine.set_breaks(it.context.space.number, frozenset((start + 1,)))
    assert it.machine.run(it.context, 50) == STEPPED
    assert (it.machine.instructions, it.context.ip) == (1, start + 1)

    it.machine.set_breaks(it.context.space.number, frozenset())
    assert it.machine.run(it.context, 50) == DEADLINE
