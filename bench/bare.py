"""Bare Unicorn: the yardstick.  The same code, page tables and memory, and no hooks."""

import time
from typing import Any

import unicorn as _unicorn
from unicorn import unicorn_const as uc
from unicorn import x86_const as x86

from emu.context import Context
from emu.machine import Machine

unicorn: Any = _unicorn  # its annotations are wrong in places
_GENERAL = {
    True: tuple(getattr(x86, f"UC_X86_REG_{name}") for name in ("RIP", "RSP")),
    False: tuple(getattr(x86, f"UC_X86_REG_{name}") for name in ("EIP", "ESP")),
}


def time_bare(machine: Machine, context: Context, *, stop: int) -> float:
    """Give the seconds that Unicorn alone takes from a context's ip to address `stop`.

    The context must not have run: its general registers are zero.  Its memory is used,
    so what the code stores is there afterwards.
    """
    engine: Any = machine._engine
    host = engine.host_of(context.cpu)
    amd64 = machine.config.arch == "amd64"
    bare: Any = unicorn.Uc(
        uc.UC_ARCH_X86, uc.UC_MODE_64 if amd64 else uc.UC_MODE_32, x86.UC_CPU_X86_NEHALEM
    )
    bare.ctl_set_tcg_buffer_size(16 << 20)
    for window in machine._memory.windows():
        bare.mem_map_ptr(window.base, window.size, uc.UC_PROT_ALL, window.host_address)
    bare.context_restore(host.binding.context_save())
    bare.reg_write(x86.UC_X86_REG_CR3, context.cpu.root)
    ip, sp = _GENERAL[amd64]
    bare.reg_write(ip, context.ip)
    bare.reg_write(sp, context.sp)
    begin = time.perf_counter()
    bare.emu_start(context.ip, stop)
    return time.perf_counter() - begin
