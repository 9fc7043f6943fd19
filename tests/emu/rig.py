"""A machine with a program in it, for tests."""

from dataclasses import dataclass
from functools import cache

from keystone import KS_ARCH_X86, KS_MODE_32, KS_MODE_64, Ks

from emu.context import Context
from emu.machine import Machine, MachineConfig
from emu.timing import Timing, parse_timing
from emu.traps import DEADLINE, EXCEPTION, PAGE_FAULT, STEPPED

PAGE = 4096
CODE = 0x10_0000  # four pages
DATA = 0x20_0000  # sixteen pages, the stack at their end
STACK = DATA + 16 * PAGE - 256
CODE_FRAME = 0x1_0000
DATA_FRAME = 0x4_0000
CALL_PAGE = 0xEACF_F000
READ, WRITE, EXECUTE = 4, 2, 1
ARCHES = ("amd64", "ia32")


@cache
def assemble(source: str, arch: str, address: int = CODE) -> bytes:
    mode = KS_MODE_64 if arch == "amd64" else KS_MODE_32
    encoding, _ = Ks(KS_ARCH_X86, mode).asm(source, address)
    return bytes(encoding)


def config(arch: str, *, pool: int = 4, cpu: str = "flat") -> MachineConfig:
    call_page = CALL_PAGE if arch == "ia32" else 0
    return MachineConfig(
        arch=arch,
        ram=1 << 20,
        timing=parse_timing(cpu) or Timing(cpu),
        call_page=call_page,
        pool=pool,
    )


def map_all(machine: Machine, space: int, *, code: int, rights: int) -> None:
    for index in range(4):
        machine.map(space, CODE + index * PAGE, code + index * PAGE, rights)
    for index in range(16):
        machine.map(space, DATA + index * PAGE, DATA_FRAME + index * PAGE, READ | WRITE)


@dataclass(frozen=True, slots=True)
class Rig:
    """A machine with one space and one context, number 1 both."""

    machine: Machine
    context: Context

    def run(self, deadline: int = 1_000_000) -> int:
        return self.machine.run(self.context, deadline)

    def facts(self) -> tuple[object, ...]:
        """All that a program, the kernel or the clock can see."""
        machine, context = self.machine, self.context
        names = REGISTERS[machine.config.arch]
        return (
            machine.ticks,
            machine.instructions,
            context.ip,
            [context.load_register(name) for name in names],
            machine.read_physical(0, machine.config.ram),
        )


REGISTERS = {
    "amd64": ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r15", "flags"),
    "ia32": ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "flags"),
}


def rig(
    arch: str,
    program: str | bytes,
    *,
    rights: int = READ | EXECUTE,
    at: int = 0,
    pool: int = 4,
    cpu: str = "flat",
) -> Rig:
    """Put a program at CODE + `at`, where it starts."""
    code = program if isinstance(program, bytes) else assemble(program, arch, CODE + at)
    machine = Machine(config(arch, pool=pool, cpu=cpu))
    machine.create_space(1)
    map_all(machine, 1, code=CODE_FRAME, rights=rights)
    machine.write(1, CODE + at, code)
    context = machine.create_context(
        1, space=1, ip=CODE + at, sp=STACK, thread_base=DATA + 0x100
    )
    return Rig(machine, context)


Trap = tuple[int, int, int, int, int, int]


def trap_of(rig: Rig, trap: int) -> Trap:
    context = rig.context
    vector = context.vector if trap == EXCEPTION else 0
    error = context.error if trap in (EXCEPTION, PAGE_FAULT) else 0
    address = context.address if trap == PAGE_FAULT else 0
    return trap, context.ip, vector, error, address, rig.machine.ticks


def run_to(rig: Rig, end: int, *, slices: tuple[int, ...] = (), limit: int = 200) -> list[Trap]:
    """Run until the clock reaches `end`, through all traps, slicing at `slices` first."""
    seen: list[Trap] = []
    cuts = [*sorted(slices), end]
    while len(seen) < limit:
        trap = rig.run(cuts[0])
        if trap == DEADLINE:
            cuts.pop(0)
            if not cuts:
                break
        else:
            seen.append(trap_of(rig, trap))
    return seen


def step_to(rig: Rig, end: int, *, limit: int = 200) -> list[Trap]:
    """The same, one instruction at a time."""
    seen: list[Trap] = []
    while len(seen) < limit:
        trap = rig.machine.step(rig.context, end)
        if trap == DEADLINE:
            break
        if trap != STEPPED:
            seen.append(trap_of(rig, trap))
    return seen
