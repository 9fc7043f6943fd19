"""A machine that goes back to a moment does the same again, whatever it did in between."""

import pytest

from emu.machine import Machine
from emu.traps import SYSTEM_CALL
from tests.emu.rig import ARCHES, CODE, DATA, DATA_FRAME, PAGE, READ, WRITE, Rig, rig

COUNTING = """
    mov dword ptr [{data}], 7
again:
    inc dword ptr [{data}]
    cmp dword ptr [{data}], 20
    jne again
    {call}
    inc dword ptr [{data}]
    {call}
"""


def _rig(arch: str) -> Rig:
    call = "syscall" if arch == "amd64" else "int 0x30"
    return rig(arch, COUNTING.format(data=hex(DATA), call=call))


@pytest.mark.parametrize("arch", ARCHES)
def test_the_same_happens_again(arch: str) -> None:
    it = _rig(arch)
    moment = it.machine.save()
    traps = [it.run(), it.run()]
    facts = it.facts()

    assert it.machine.rewind(moment)

    assert [it.run(), it.run()] == traps == [SYSTEM_CALL, SYSTEM_CALL]
    assert it.facts() == facts


@pytest.mark.parametrize("arch", ARCHES)
def test_a_moment_in_the_middle_serves_as_well(arch: str) -> None:
    it = _rig(arch)
    it.run()
    before = it.facts()
    moment = it.machine.save()
    it.run()
    after = it.facts()

    for _ in range(3):
        assert it.machine.rewind(moment)
        assert it.facts() == before
        it.run()
        assert it.facts() == after


def test_mappings_and_what_was_written_through_them_are_undone() -> None:
    it = _rig("amd64")
    machine = it.machine
    moment = machine.save()
    machine.unmap(1, DATA)
    machine.map(1, DATA, DATA_FRAME + 40 * PAGE, READ | WRITE)
    machine.map(1, DATA + 100 * PAGE, DATA_FRAME + 41 * PAGE, READ | WRITE)
    it.run()
    assert machine.read(1, DATA, 1) == b"\x14"

    assert machine.rewind(moment)

    assert machine.translate(1, DATA) == DATA_FRAME
    assert machine.translate(1, DATA + 100 * PAGE) is None
    assert machine.read_physical(DATA_FRAME + 40 * PAGE, PAGE) == bytes(PAGE)
    assert machine.read(1, DATA, PAGE) == bytes(PAGE)


def test_code_that_was_overwritten_is_the_old_one_again() -> None:
    it = _rig("amd64")
    moment = it.machine.save()
    it.run()
    facts = it.facts()
    it.machine.write(1, CODE, b"\x0f\x0b")

    assert it.machine.rewind(moment)

    it.run()
    assert it.facts() == facts


def test_what_is_new_goes_and_what_is_gone_cannot_come_back() -> None:
    machine: Machine = _rig("amd64").machine
    moment = machine.save()
    machine.create_space(2)
    machine.create_context(2, space=2, ip=CODE, sp=0, thread_base=0)

    assert machine.rewind(moment)

    machine.create_space(2)
    machine.destroy_context(1)
    assert not machine.rewind(moment)


@pytest.mark.parametrize("arch", ARCHES)
def test_accessed_flags_are_those_of_the_moment(arch: str) -> None:
    it = _rig(arch)
    moment = it.machine.save()
    it.run()
    assert it.machine.accessed(1, DATA) == READ | WRITE

    assert it.machine.rewind(moment)

    assert it.machine.accessed(1, DATA) == 0
    it.run()
    assert it.machine.accessed(1, DATA) == READ | WRITE
