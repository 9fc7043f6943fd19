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


class Bare:
    """An instance of Unicorn that starts where a context of a machine stands.

    The context must not have run: its general registers are zero.  Its memory is used,
    so what the code stores is there afterwards.
    """

    def __init__(self, machine: Machine, context: Context) -> None:
        engine: Any = machine.emulator
        amd64 = machine.config.arch == "amd64"
        self._context = context
        self._state: Any = engine.host_of(context.cpu).binding.context_save()
        self._registers = _GENERAL[amd64]
        self._unicorn: Any = unicorn.Uc(
            uc.UC_ARCH_X86, uc.UC_MODE_64 if amd64 else uc.UC_MODE_32, x86.UC_CPU_X86_NEHALEM
        )
        self._unicorn.ctl_set_tcg_buffer_size(16 << 20)
        for window in machine._memory.windows():
            self._unicorn.mem_map_ptr(
                window.base, window.size, uc.UC_PROT_ALL, window.host_address
            )

    def seconds(self, stop: int) -> float:
        """Give the CPU time that the code takes from the context's ip to address `stop`."""
        bare, context = self._unicorn, self._context
        bare.context_restore(self._state)
        bare.reg_write(x86.UC_X86_REG_CR3, context.cpu.root)
        for register, value in zip(self._registers, (context.ip, context.sp), strict=True):
            bare.reg_write(register, value)
        begin = time.thread_time()
        bare.emu_start(context.ip, stop)
        return time.thread_time() - begin
