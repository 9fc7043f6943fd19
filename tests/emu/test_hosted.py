"""Hosted contexts: system calls without any code."""

import pytest

from emu.errors import NoSuchNumberError
from emu.machine import HostedCall, Machine, MachineConfig
from emu.traps import DEADLINE, SYSTEM_CALL

ARCHES = ("amd64", "ia32")


def hosted(arch: str = "amd64") -> Machine:
    machine = Machine(MachineConfig(arch=arch))
    machine.create_space(1)
    machine.create_context(7, space=1, ip=0, sp=0, thread_base=0)
    return machine


@pytest.mark.parametrize("arch", ARCHES)
def test_a_hosted_context_traps_with_what_its_source_says(arch: str) -> None:
    machine = hosted(arch)
    base = machine.shared_frames.start
    asked: list[int] = []

    def source(number: int) -> HostedCall:
        asked.append(number)
        return base, b"abcd", (1, 2, 3, 4 + number)

    machine.host(7, source)
    context = machine.context(7)
    traps = [machine.run(context, 100), machine.step(context, 100)]

    assert traps == [SYSTEM_CALL, SYSTEM_CALL]
    assert list(context.registers) == [1, 2, 3, 5]
    assert asked == [0, 1]
    assert (context.ip, machine.instructions, machine.now) == (2, 2, 2)
    assert machine.read_physical(base, 5) == b"abcd\0"
    machine.close()


def test_nothing_is_asked_at_the_deadline() -> None:
    machine = hosted()
    machine.host(7, lambda number: pytest.fail("asked"))
    machine.charge(10)

    assert machine.run(machine.context(7), 10) == DEADLINE
    assert (machine.instructions, machine.now) == (0, 10)
    machine.close()


def test_what_a_source_raises_comes_out_and_nothing_has_happened() -> None:
    machine = hosted()

    def source(number: int) -> HostedCall:
        raise ValueError(number)

    machine.host(7, source)
    with pytest.raises(ValueError, match="0"):
        machine.run(machine.context(7), 100)

    assert (machine.context(7).ip, machine.instructions, machine.now) == (0, 0, 0)
    machine.close()


def test_a_thawed_machine_goes_on_with_the_next_call() -> None:
    machine = hosted()
    machine.host(7, lambda number: (0, b"", (number, 0, 0, 0)))
    machine.run(machine.context(7), 100)
    frozen = machine.freeze()
    machine.close()

    thawed = Machine.thaw(MachineConfig(), frozen)
    assert not thawed.hosts(thawed.context(7))
    thawed.host(7, lambda number: (0, b"", (number, 0, 0, 0)))
    assert thawed.run(thawed.context(7), 100) == SYSTEM_CALL
    assert thawed.context(7).tag == 1
    thawed.close()


def test_only_a_context_that_there_is_can_be_hosted() -> None:
    machine = hosted()
    with pytest.raises(NoSuchNumberError, match="8"):
        machine.host(8, lambda number: (0, b"", (0, 0, 0, 0)))
    machine.close()
