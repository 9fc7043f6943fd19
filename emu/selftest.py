"""Checks of the host: does the emulation library do what this package relies on?

For `l4lab doctor`: nothing here raises but for interrupts; each check is a value.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass

from emu.errors import MachineError
from emu.machine import Machine, MachineConfig
from emu.traps import GENERAL_PROTECTION, PAGE_FAULT, SYSTEM_CALL
from emu.unicorn_engine import VERSION, installed_version, watched_ips

_CODE = 0x10_0000
_DATA = 0x20_0000
_FRAME = 0x1000
_RAM = 1 << 20
_LONG = 100_000_000  # cycles

# Loads of several forms, from where the register of addresses points, and their lengths.
_LOADS = (
    ("mov", b"\x8b\x06"),
    ("push", b"\xff\x36"),
    ("lodsb", b"\xac"),
    ("movups", b"\x0f\x10\x06"),
    ("add to memory", b"\x01\x06"),
    ("fld", b"\xd9\x06"),
    ("cmpxchg", b"\x0f\xb1\x0e"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check."""

    name: str
    ok: bool
    detail: str


def run_selftests() -> list[Check]:
    """Run all checks, in a fixed order."""
    checks = [Check("unicorn version", installed_version() == VERSION, installed_version())]
    for arch in ("amd64", "ia32"):
        for name, check in _CHECKS:
            try:
                problem = check(arch)
            except MachineError as error:
                problem = str(error)
            checks.append(Check(f"{arch}: {name}", not problem, problem or "as expected"))
    return checks


def _calibration(arch: str) -> str:
    Machine(MachineConfig(arch=arch, ram=_RAM)).close()
    return ""


def _second_fault(arch: str) -> str:
    """A fault that follows a fault must not become a double fault."""
    machine = _machine(arch, b"\x8b\x06\x8b\x06")
    context = machine.create_context(1, space=1, ip=_CODE, sp=0, thread_base=0)
    seen = [(machine.run(context, _LONG), context.address, context.error) for _ in range(3)]
    machine.close()
    return "" if seen == [(PAGE_FAULT, 0, 4)] * 3 else f"three faults came as {seen}"


def _privilege(arch: str) -> str:
    """User code runs at user level."""
    machine = _machine(arch, b"\xfa")
    context = machine.create_context(1, space=1, ip=_CODE, sp=0, thread_base=0)
    machine.run(context, _LONG)
    machine.close()
    return "" if context.vector == GENERAL_PROTECTION else f"cli gave {context.vector}"


def _call(arch: str) -> str:
    """A system call traps behind the instruction."""
    machine = _machine(arch, b"\x0f\x05" if arch == "amd64" else b"\xcd\x30")
    context = machine.create_context(1, space=1, ip=_CODE, sp=0, thread_base=0)
    trap = machine.run(context, _LONG)
    machine.close()
    stopped = trap, context.ip
    return "" if stopped == (SYSTEM_CALL, _CODE + 2) else f"stopped with {stopped}"


def _memory_hooks(arch: str) -> str:
    """A memory hook sees the address of the accessing instruction."""
    program = b"".join(code for _, code in _LOADS)
    machine = _machine(arch, program + b"\xeb\xfe")
    context = machine.create_context(1, space=1, ip=_CODE, sp=_DATA + 0x800, thread_base=0)
    context.store_register("rsi" if arch == "amd64" else "esi", _DATA)
    seen = watched_ips(machine.emulator, context.cpu)
    machine.close()
    ip = _CODE
    for name, code in _LOADS:
        if ip not in seen:
            return f"{name} at {ip:#x} was not seen; seen: {sorted(map(hex, seen))}"
        ip += len(code)
    return "" if max(seen) < ip else f"accesses seen at {max(seen):#x}"


class _Interrupted(Exception):
    """Raised on purpose."""


def _interrupt(_number: int, _frame: object) -> None:
    raise _Interrupted


def _interrupts(arch: str) -> str:
    """What a signal handler raises comes out of a run, though no Python code runs in it."""
    machine = _machine(arch, b"\xeb\xfe")
    context = machine.create_context(1, space=1, ip=_CODE, sp=0, thread_base=0)
    handler = signal.signal(signal.SIGALRM, _interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        machine.run(context, _LONG)
    except _Interrupted:
        return ""
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        machine.close()
    return "a signal does not get through"


_CHECKS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("state calibrated", _calibration),
    ("user level", _privilege),
    ("system call", _call),
    ("fault after fault", _second_fault),
    ("exact addresses in memory hooks", _memory_hooks),
    ("signals get through", _interrupts),
)


def _machine(arch: str, code: bytes) -> Machine:
    machine = Machine(MachineConfig(arch=arch, ram=_RAM, pool=1))
    machine.create_space(1)
    machine.map(1, _CODE, _FRAME, 5)
    machine.map(1, _DATA, 2 * _FRAME, 6)
    machine.write(1, _CODE, code)
    return machine
