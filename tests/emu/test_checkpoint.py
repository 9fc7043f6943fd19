"""Freezing a machine and going on elsewhere."""

import subprocess
import sys
from hashlib import blake2b

import pytest

from emu.errors import BadCheckpointError
from emu.machine import Machine, MachineConfig
from tests.emu.rig import ARCHES, CODE_FRAME, DATA, PAGE, Rig, config, map_all, rig, run_to

SOURCE = {
    "amd64": "l: inc ebx; fld1; mov gs, ecx; mov eax, [0x1000]; mov [rsp], eax; jmp l",
    "ia32": "l: inc ebx; fld1; mov gs, ecx; mov eax, fs:[0]; mov [esp], ebx; jmp l",
}


def thaw(machine: Machine, frozen: bytes) -> Rig:
    again = Machine.thaw(machine.config, frozen)
    map_all(again, 1, code=CODE_FRAME, rights=5)
    return Rig(again, again.context(1))


def summary(it: Rig, end: int) -> str:
    traps = run_to(it, end)
    return blake2b(repr((traps, it.facts())).encode() + it.machine.freeze()).hexdigest()


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("when", [0, 1, 5, 77])
def test_a_thawed_machine_goes_on_as_the_frozen_one(arch: str, when: int) -> None:
    it = rig(arch, SOURCE[arch])
    run_to(it, when)
    frozen = it.machine.freeze()
    again = thaw(it.machine, frozen)

    assert again.machine.freeze() == frozen
    assert summary(again, 300) == summary(it, 300)


@pytest.mark.parametrize("arch", ARCHES)
def test_it_can_be_frozen_inside_a_block(arch: str) -> None:
    it = rig(arch, "l: inc ebx; inc ecx; inc edx; inc esi; jmp l")
    for _ in range(7):
        it.machine.step(it.context, 1000)
    again = thaw(it.machine, it.machine.freeze())

    assert again.machine.instructions == 7
    assert summary(again, 50) == summary(it, 50)


@pytest.mark.parametrize("arch", ARCHES)
def test_a_fresh_process_goes_on_as_this_one(arch: str) -> None:
    it = rig(arch, SOURCE[arch])
    run_to(it, 33)
    frozen = it.machine.freeze()
    program = (
        "import sys; from tests.emu.test_checkpoint import config, summary, Rig, Machine\n"
        "from tests.emu.rig import CODE_FRAME, map_all\n"
        f"m = Machine.thaw(config({arch!r}), sys.stdin.buffer.read())\n"
        "map_all(m, 1, code=CODE_FRAME, rights=5)\n"
        "print(summary(Rig(m, m.context(1)), 400))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=frozen, capture_output=True, check=True
    )

    assert done.stdout.decode().strip() == summary(it, 400)


def test_what_the_kernel_sees_is_frozen_too() -> None:
    it = rig("amd64", "mov eax, 3; mov edx, 4; mov esi, 5; mov r8d, 6; syscall; nop; syscall")
    it.run()
    it.context.tag = 2**64 - 1
    again = thaw(it.machine, it.machine.freeze()).context

    seen = (again.trap, again.tag, again.selector, again.label, again.timeout)
    assert seen == (1, 2**64 - 1, 4, 5, 6)


def test_a_thread_segment_can_be_loaded_again_after_a_thaw() -> None:
    it = rig(
        "ia32", "mov fs, ecx; int 0x30; mov eax, 0x43; mov fs, eax; mov eax, fs:[0]; int 0x30"
    )
    it.machine.write(1, DATA + 0x100, b"\x11")
    it.run()
    again = thaw(it.machine, it.machine.freeze())

    again.run()
    assert again.context.tag == 0x11


def test_shared_memory_is_frozen_too() -> None:
    it = rig("amd64", "nop")
    frame = it.machine.shared_frames[3]
    it.machine.words(frame, 4)[2] = 77

    again = thaw(it.machine, it.machine.freeze())
    assert list(again.machine.words(frame, 4)) == [0, 0, 77, 0]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"x" + data[1:],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:60] + bytes((data[60] ^ 1,)) + data[61:],
        lambda data: data[:16] + blake2b(b"", digest_size=16).digest(),
    ],
)
def test_damage_has_an_error_of_its_own(damage) -> None:  # type: ignore[no-untyped-def]
    machine = rig("amd64", "nop").machine
    with pytest.raises(BadCheckpointError):
        Machine.thaw(machine.config, damage(machine.freeze()))


def test_another_configuration_is_refused() -> None:
    frozen = rig("amd64", "nop").machine.freeze()
    with pytest.raises(BadCheckpointError, match="frozen on amd64 with 0x100000 bytes"):
        Machine.thaw(config("ia32"), frozen)
    with pytest.raises(BadCheckpointError):
        Machine.thaw(MachineConfig(ram=4 * PAGE), frozen)
