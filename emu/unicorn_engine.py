"""The engine on Unicorn, in pure Python: the only module that imports it.

Registers are read and written where Unicorn keeps them, and the layout of that state is
an ABI of one build.  So the version is pinned, everything is found by experiment when an
engine starts, and each instance is checked against what was found.

Unicorn has to be handled so (measured on 2.1.4):
* after an exception, the pending one must be cleared, or the next becomes a double fault;
* `emu_stop` in a block hook stops before the block; in other hooks after the instruction;
* exits are switched on and left empty, or an address 0 given as `until` ends the run;
* with the trap flag set a translation is one instruction, kept apart from the others.
"""

import ctypes
import os
import struct
from collections.abc import Callable
from typing import Any

import unicorn
from unicorn import unicorn_const as uc
from unicorn import x86_const as x86

from emu.blocks import NOWHERE, Block, BlockTable
from emu.engine import (
    CALLED,
    EXPIRED,
    FLAGS,
    IP,
    RAISED,
    SP,
    STEPPED,
    UNKNOWN,
    WALK,
    Cpu,
    Engine,
    Fault,
    Inside,
    Stop,
)
from emu.errors import BadCheckpointError, EngineError, NoSuchRegisterError
from emu.memory import PAGE, Memory
from emu.paging import NO_EXECUTE, PRESENT, USER, WRITABLE, PageTables

VERSION = "2.1.4"
TRAP_FLAG = 0x100
_TRANSLATION_BUFFER = 4 << 20
_RUNNABLE = 0x202  # flags: interrupts enabled, I/O privilege 0
_USER_FLAGS = 0x254DD5  # those a program may set
_INVALID_INSTRUCTION = 10  # UC_ERR_INSN_INVALID
_UNBOUNDED = 1 << 62
_GDT_SLOT = 128  # bytes of one descriptor table

_unicorn: Any = unicorn  # its annotations are wrong in places
_library: Any = _unicorn.unicorn_py3.unicorn.uclib


def _address_of(name: str) -> int:
    return ctypes.cast(getattr(_library, name), ctypes.c_void_p).value or 0


# With plain integers, and holding the interpreter lock: half the cost of the binding.
_start: Any = ctypes.PYFUNCTYPE(
    ctypes.c_int,
    ctypes.c_size_t,
    ctypes.c_uint64,
    ctypes.c_uint64,
    ctypes.c_uint64,
    ctypes.c_size_t,
)(_address_of("uc_emu_start"))
_stop: Any = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_size_t)(_address_of("uc_emu_stop"))
_reg_read: Any = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.c_size_t, ctypes.c_int, ctypes.c_size_t
)(_address_of("uc_reg_read"))
_hook_add: Any = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_uint64,
    ctypes.c_uint64,
    ctypes.c_int,
)(_address_of("uc_hook_add"))

# The order of the registers in the state, by the names the debugger uses.
_AMD64_NAMES = (
    *("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"),
    *(f"r{number}" for number in range(8, 16)),
    "rip",
)
_IA32_NAMES = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi")


# The order of the segments in the state, 24 bytes each.
_SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs")


class _Instance:
    """One emulator and the place of its CPU state."""

    __slots__ = ("address", "binding", "cpu", "epoch", "handle", "words")

    def __init__(self, binding: Any, handle: int) -> None:
        self.binding = binding
        self.handle = handle
        self.address = 0
        self.words = memoryview(b"")
        self.cpu: Cpu | None = None
        self.epoch = 0


class UnicornEngine:
    """An engine on Unicorn instances, at most `pool` of them."""

    name = "python"

    # Not slotted: `execute` and `step` are closures over the state of the hooks.

    def __init__(self, memory: Memory, tables: PageTables, *, pool: int) -> None:
        if _unicorn.__version__ != VERSION:
            raise EngineError(f"unicorn {_unicorn.__version__}, need {VERSION}")
        self._memory = memory
        self._tables = tables
        self._amd64 = tables.is_amd64
        self._pool = pool
        self._instances: list[_Instance] = []
        self._epoch = 0
        self._path = (0, 0)
        self._size = 0  # of the CPU state, from its first register on
        self.place = self.place_size = 0
        self._callbacks: list[Any] = []
        self._make_hooks()
        self._stub = tables.take_page()
        self._gdt_pages: dict[int, int] = {}
        boot = self._open_instance()
        self._size = self._measure(boot)
        self._workbench = boot
        self._boot(boot)
        self._initial = ctypes.string_at(boot.address, self._size)
        self._calibrate(boot)

    # -- states -----------------------------------------------------------------

    def create_cpu(self, *, root: int, slot: int, ip: int, sp: int, thread_base: int) -> Cpu:
        """Make the state of a thread at user level; `slot` numbers its descriptor table."""
        bench = self._workbench
        ctypes.memmove(bench.address, self._initial, self._size)
        if self._amd64:
            bench.binding.reg_write(x86.UC_X86_REG_GS_BASE, thread_base)
        else:
            gdt = self._write_gdt(slot, thread_base)
            bench.binding.reg_write(x86.UC_X86_REG_GDTR, (0, gdt, _GDT_SLOT - 1, 0))
            bench.binding.reg_write(x86.UC_X86_REG_FS, 0x43)
            bench.binding.reg_write(x86.UC_X86_REG_GS, 0x43)
        cpu = Cpu(bytearray(ctypes.string_at(bench.address, self._size)), root)
        cpu.words[IP] = ip
        cpu.words[SP] = sp
        return cpu

    def release(self, cpu: Cpu) -> None:
        """Give back what the state uses."""
        host = cpu.host
        if isinstance(host, _Instance):
            self._evict(host)

    def prepare(self, cpu: Cpu) -> None:
        """Give the state a host whose caches are up to date."""
        host = cpu.host
        if not isinstance(host, _Instance):
            host = self._free_instance()
            ctypes.memmove(host.address, bytes(cpu.blob), self._size)
            host.cpu = cpu
            cpu.host = host
            cpu.words = host.words
        # Writing CR3 also drops all cached page table entries.
        host.binding.reg_write(x86.UC_X86_REG_CR3, cpu.root)
        if host.epoch != self._epoch:
            host.binding.ctl_flush_tb()
            host.epoch = self._epoch
        cpu.ready = True

    def forget_code(self) -> None:
        """Drop all translations; every state must be prepared again."""
        self._epoch += 1
        for instance in self._instances:
            if instance.cpu is not None:
                instance.cpu.ready = False

    def fault(self, cpu: Cpu) -> Fault:
        """Tell about the exception that was just raised, and make the CPU forget it."""
        address = self.host_of(cpu).address
        vector = self._vector()
        ctypes.c_int32.from_address(address + self._old_exception).value = -1
        error = ctypes.c_int32.from_address(address + self._error_code).value
        cr2 = ctypes.c_uint64.from_address(address + self._cr2).value
        return Fault(vector, error & 0xFFFF, cr2)

    def flags(self, cpu: Cpu) -> int:
        """Compute the flags register."""
        _reg_read(self.host_of(cpu).handle, self._flags_id, self._flags_at)
        return self._flags_word.value

    def load_register(self, cpu: Cpu, name: str) -> int:
        """Load any register by its lower-case name."""
        index = self._index(name)
        if index is not None:
            return int(cpu.words[index]) & self._mask
        host = self.host_of(cpu)
        if name == "flags":
            return self.flags(cpu)
        base = self._base_offset(name)
        return int(ctypes.c_uint64.from_address(host.address + base).value) & self._mask

    def store_register(self, cpu: Cpu, name: str, value: int) -> None:
        """Store any register by its lower-case name."""
        value &= self._mask
        index = self._index(name)
        if index is not None:
            cpu.words[index] = value
            return
        host = self.host_of(cpu)
        if name == "flags":
            host.binding.reg_write(self._flags_id, value & _USER_FLAGS | _RUNNABLE)
            return
        base = self._base_offset(name)
        ctypes.c_uint64.from_address(host.address + base).value = value

    def freeze(self, cpu: Cpu) -> bytes:
        """Encode the words that differ from a fresh state: pointers never do."""
        host = cpu.host
        if isinstance(host, _Instance):
            blob = ctypes.string_at(host.address, self._size)
        else:
            blob = bytes(cpu.blob)
        parts: list[bytes] = []
        for at in range(0, self._frozen_size, 8):
            if blob[at : at + 8] != self._initial[at : at + 8] and at not in self._volatile:
                parts.append(struct.pack("<H", at) + blob[at : at + 8])
        return b"".join(parts)

    def thaw(self, data: bytes, *, root: int, slot: int, thread_base: int) -> Cpu:
        """Make a state of what `freeze` gave."""
        if len(data) % 10:
            raise BadCheckpointError(f"a CPU state of {len(data)} bytes")
        blob = bytearray(self._initial)
        for part in range(0, len(data), 10):
            (at,) = struct.unpack_from("<H", data, part)
            if at % 8 or at >= self._frozen_size or at in self._volatile:
                raise BadCheckpointError(f"a CPU state has no word at {at:#x}")
            blob[at : at + 8] = data[part + 2 : part + 10]
        if not self._amd64:
            self._write_gdt(slot, thread_base)
        return Cpu(blob, root)

    def close(self) -> None:
        """Give all instances back."""
        for instance in self._instances:
            if instance.cpu is not None:
                self._evict(instance)
        self._instances.clear()

    # -- instances --------------------------------------------------------------

    def host_of(self, cpu: Cpu) -> _Instance:
        """Give the instance that holds a state, preparing it if need be."""
        if not cpu.ready:
            self.prepare(cpu)
        host = cpu.host
        assert isinstance(host, _Instance)
        return host

    def _free_instance(self) -> _Instance:
        for instance in self._instances:
            if instance.cpu is None:
                return instance
        if len(self._instances) < self._pool:
            instance = self._open_instance()
            self._instances.append(instance)
            return instance
        oldest = min(self._instances, key=lambda each: each.cpu.stamp if each.cpu else -1)
        self._evict(oldest)
        return oldest

    def _evict(self, instance: _Instance) -> None:
        cpu = instance.cpu
        assert cpu is not None
        cpu.blob[:] = ctypes.string_at(instance.address, self._size)
        cpu.words = memoryview(cpu.blob)[: 18 * 8].cast("Q")
        cpu.host = None
        cpu.ready = False
        instance.cpu = None

    def _open_instance(self) -> _Instance:
        mode = uc.UC_MODE_64 if self._amd64 else uc.UC_MODE_32
        binding = _unicorn.Uc(uc.UC_ARCH_X86, mode, x86.UC_CPU_X86_NEHALEM)
        binding.ctl_set_tcg_buffer_size(_TRANSLATION_BUFFER)
        binding.ctl_exits_enabled(True)
        for window in self._memory.windows():
            binding.mem_map_ptr(window.base, window.size, uc.UC_PROT_ALL, window.host_address)
        instance = _Instance(binding, binding._uch.value)
        instance.epoch = self._epoch
        handle = instance.handle
        self._add_hook(handle, uc.UC_HOOK_BLOCK, self._block_hook, 0)
        self._add_hook(handle, uc.UC_HOOK_INTR, self._interrupt_hook, 0)
        syscall = x86.UC_X86_INS_SYSCALL
        self._add_hook(handle, uc.UC_HOOK_INSN, _address_of("uc_emu_stop"), syscall)
        self._add_hook(handle, uc.UC_HOOK_INSN, self._clock_hook, x86.UC_X86_INS_RDTSC)
        self._locate(instance)
        return instance

    def _add_hook(self, handle: int, kind: int, callback: int, instruction: int) -> None:
        hook = ctypes.c_size_t()
        status = _hook_add(
            handle, ctypes.addressof(hook), kind, callback, None, 1, 0, instruction
        )
        if status:
            raise EngineError(f"hook of kind {kind:#x} refused with status {status}")

    def _locate(self, instance: _Instance) -> None:
        """Find the register block, by the path found first or anew, and check it."""
        marks = [0x1B5A_0000 + 0x1111 * number for number in range(8)]
        ids = _IA32_IDS if not self._amd64 else _AMD64_IDS
        for register, mark in zip(ids, marks, strict=True):
            instance.binding.reg_write(register, mark)
        pattern = struct.pack("<8Q", *marks)
        outer, inner = self._path
        address = 0
        if outer:
            pointer = int.from_bytes(_peek(instance.handle + outer, 8), "little")
            address = pointer + inner
            if _peek(address, 64) != pattern:
                address = 0
        if not address:
            address = self._search(instance, pattern)
        instance.address = address
        block = (ctypes.c_uint64 * 18).from_address(address)
        instance.words = memoryview(block).cast("B").cast("Q")
        instance.binding.reg_write(self.ip_id, 0x1234_5678)
        if instance.words[IP] != 0x1234_5678:
            raise EngineError("the instruction pointer is not behind the registers")
        for register in ids:
            instance.binding.reg_write(register, 0)

    def _search(self, instance: _Instance, pattern: bytes) -> int:
        handle = _peek(instance.handle, 0x1000)
        for outer in range(0, len(handle) - 7, 8):
            pointer = int.from_bytes(handle[outer : outer + 8], "little")
            if pointer < PAGE or pointer % 8:
                continue
            inner = _peek(pointer, 0x2_0000).find(pattern)
            while inner >= 0:
                address = pointer + inner
                # A stale copy does not follow a new write.
                instance.binding.reg_write(self._ax_id, 0x1B5A_FFFF)
                follows = _peek(address, 4) == b"\xff\xff\x5a\x1b"
                instance.binding.reg_write(self._ax_id, 0x1B5A_0000)
                if follows and inner % 8 == 0:
                    self._path = (outer, inner)
                    return address
                inner = _peek(pointer, 0x2_0000).find(pattern, inner + 1)
        raise EngineError("no register block in a Unicorn instance")

    # -- boot -------------------------------------------------------------------

    def _write_gdt(self, slot: int, thread_base: int) -> int:
        """Fill one descriptor table and give its linear address."""
        code = 0xA if self._amd64 else 0xC
        entries = [0] * 16
        entries[1] = _descriptor(0, 0x9B, code)
        entries[2] = _descriptor(0, 0x93, 0xC)
        # On amd64 the 32-bit code segment is not present: a program that loads it gets
        # vector 11.  The decoder knows one instruction set per machine.
        entries[3] = _descriptor(0, 0x7B if self._amd64 else 0xFB, 0xC)
        entries[4] = _descriptor(0, 0xF3, 0xC)
        if self._amd64:
            entries[5] = _descriptor(0, 0xFB, 0xA)
        else:
            entries[8] = _descriptor(thread_base, 0xF3, 0xC)
        number, place = divmod(slot * _GDT_SLOT, PAGE)
        address = self._tables.system + 0x10_0000 + number * PAGE
        if number not in self._gdt_pages:
            page = self._gdt_pages[number] = self._tables.take_page()
            self._tables.map_system(address, page, PRESENT | WRITABLE | NO_EXECUTE)
        offset = self._gdt_pages[number] - self._memory.tables.base + place
        struct.pack_into("<16Q", self._memory.tables.memory, offset, *entries)
        return address + place

    def _boot(self, instance: _Instance) -> None:
        """Bring an instance to user level with one iret, as the hardware is."""
        binding, tables = instance.binding, self._tables
        memory, base = self._memory.tables.memory, self._memory.tables.base
        stub, stack, task = tables.system, tables.system + PAGE, tables.system + 2 * PAGE
        stack_page, task_page = tables.take_page(), tables.take_page()
        tables.map_system(stub, self._stub, PRESENT)
        tables.map_system(stack, stack_page, PRESENT | WRITABLE | NO_EXECUTE)
        tables.map_system(task, task_page, PRESENT | WRITABLE | NO_EXECUTE)
        root = tables.create_root()
        tables.store_entry(root, PAGE, self._stub | PRESENT | USER)
        offset = self._stub - base
        memory[offset : offset + 2] = b"\x48\xcf" if self._amd64 else b"\xcf\x90"
        gdt = self._write_gdt(0, 0)
        efer = 0xD01 if self._amd64 else 0x800  # SCE, LME, LMA; NXE
        binding.reg_write(x86.UC_X86_REG_MSR, (0xC000_0080, efer))
        binding.reg_write(x86.UC_X86_REG_CR4, 0x620)  # PAE, OSFXSR, OSXMMEXCPT
        binding.reg_write(x86.UC_X86_REG_CR3, root)
        binding.reg_write(x86.UC_X86_REG_CR0, 0x8001_0033)  # PG WP NE ET MP PE
        binding.reg_write(x86.UC_X86_REG_GDTR, (0, gdt, _GDT_SLOT - 1, 0))
        # An iret with the nested-task flag reads the task segment: give it zeros.
        binding.reg_write(x86.UC_X86_REG_TR, (0, task, 0x67, 0x8B00))
        binding.reg_write(x86.UC_X86_REG_CS, 8)
        binding.reg_write(x86.UC_X86_REG_SS, 0x10)
        data = 0x23
        binding.reg_write(x86.UC_X86_REG_DS, data)
        binding.reg_write(x86.UC_X86_REG_ES, data)
        code = 0x2B if self._amd64 else 0x1B
        frame = struct.pack(
            "<5Q" if self._amd64 else "<5I", PAGE + 0x800, code, _RUNNABLE, 0, data
        )
        offset = stack_page - base + 0x800
        memory[offset : offset + len(frame)] = frame
        instance.words[SP] = stack + 0x800
        instance.words[IP] = stub
        self._pass_blocks(1, instance.handle)
        status = _start(instance.handle, stub, 0, 0, 0)
        if status or instance.words[IP] != PAGE + 0x800:
            at = instance.words[IP]
            raise EngineError(f"no way to user level: status {status}, ip {at:#x}")
        for index in range(IP):
            instance.words[index] = 0
        self._boot_root = root

    # -- calibration ------------------------------------------------------------

    def _calibrate(self, instance: _Instance) -> None:
        """Find what has no register id by provoking it."""
        binding = instance.binding
        self._flags_word = ctypes.c_uint64()
        self._flags_at = ctypes.addressof(self._flags_word)
        self._cr2 = self._moved(instance, x86.UC_X86_REG_CR2, 0x1357_9000)
        dr6 = self._moved(instance, x86.UC_X86_REG_DR6, 0x2468)
        cr3 = self._moved(instance, x86.UC_X86_REG_CR3, self._boot_root | 0x8)
        if self._amd64:
            self._fs_base = self._moved(instance, x86.UC_X86_REG_FS_BASE, 0x1357_9246)
            self._gs_base = self._moved(instance, x86.UC_X86_REG_GS_BASE, 0x1357_9246)
        else:
            gdt = self._write_gdt(0, 0x1357_9246)
            binding.reg_write(x86.UC_X86_REG_GDTR, (0, gdt, _GDT_SLOT - 1, 0))
            self._fs_base = self._moved(instance, x86.UC_X86_REG_FS, 0x43, 0x1357_9246)
            self._gs_base = self._moved(instance, x86.UC_X86_REG_GS, 0x43, 0x1357_9246)
        ctypes.memmove(instance.address, self._initial, self._size)
        # A fetch from where nothing is mapped: vector 14, user fetch, not present.
        before = self._initial
        instance.words[IP] = 0x5000
        self._pass_blocks(1, instance.handle)
        _start(instance.handle, 0x5000, 0, 0, 0)
        after = ctypes.string_at(instance.address, self._size)
        pending = _changes(before, after, b"\xff\xff\xff\xff", b"\x0e\0\0\0")
        errors = _changes(before, after, b"\0\0\0\0", b"\x14\0\0\0")
        if len(pending) != 1 or len(errors) != 1 or self._vector() != 14:
            raise EngineError(f"faults leave their marks at {pending} and {errors}")
        self._old_exception, self._error_code = pending[0], errors[0]
        ctypes.memmove(instance.address, self._initial, self._size)
        # Everything that a program can change lies before the debug registers.
        self._frozen_size = dr6 & ~7
        self._volatile = frozenset(
            at & ~7 for at in (self._cr2, dr6, cr3, self._old_exception, self._error_code)
        )
        self._dr6 = dr6
        if self._gs_base - self._fs_base != 24:
            raise EngineError("the segments are not laid out as expected")
        if self._frozen_size > self._size or self._error_code > self._frozen_size:
            raise EngineError("the CPU state is not laid out as expected")

    def _measure(self, instance: _Instance) -> int:
        """Find how much of the state Unicorn itself saves in a context."""
        instance.words[0] = 0x1B5A_7777
        size = int(_library.uc_context_size(instance.binding._uch))
        context = instance.binding.context_save()
        saved = ctypes.string_at(context.context.value, size)
        instance.words[0] = 0
        header = saved.find(struct.pack("<Q", 0x1B5A_7777))
        if header < 0:
            raise EngineError("a saved context does not show the registers")
        return len(saved) - header

    def _moved(
        self, instance: _Instance, register: int, value: int, shows: int | None = None
    ) -> int:
        """Find the place in the state where a register is kept."""
        before = ctypes.string_at(instance.address, self._size)
        instance.binding.reg_write(register, value)
        after = ctypes.string_at(instance.address, self._size)
        mark = struct.pack("<I", value if shows is None else shows)
        places = [
            at
            for at in range(0, self._size - 4, 4)
            if after[at : at + 4] == mark != before[at : at + 4]
        ]
        if len(places) != 1:
            raise EngineError(f"register {register} is kept at {places}")
        return places[0]

    # -- registers --------------------------------------------------------------

    @property
    def _mask(self) -> int:
        return (1 << 64) - 1 if self._amd64 else (1 << 32) - 1

    @property
    def ip_id(self) -> int:
        """Give Unicorn's number for the instruction pointer."""
        return int(x86.UC_X86_REG_RIP if self._amd64 else x86.UC_X86_REG_EIP)

    @property
    def _ax_id(self) -> int:
        return int(x86.UC_X86_REG_RAX if self._amd64 else x86.UC_X86_REG_EAX)

    def _index(self, name: str) -> int | None:
        names = _AMD64_NAMES if self._amd64 else _IA32_NAMES
        if name in names:
            return names.index(name)
        return IP if name == "eip" and not self._amd64 else None

    def _base_offset(self, name: str) -> int:
        segment, _, base = name.partition("_")
        if segment not in _SEGMENTS or base != "base":
            raise NoSuchRegisterError(name)
        return self._fs_base + 24 * (_SEGMENTS.index(segment) - _SEGMENTS.index("fs"))

    # -- the hooks and what they share ------------------------------------------

    _vector: Callable[[], int]
    _pass_blocks: Callable[[int, int], None]
    execute: Callable[[Cpu, BlockTable, int, int, Inside | None], tuple[int, int, int]]
    step: Callable[[Cpu, int, bool], int]
    stopped: Callable[[], Stop]

    def _make_hooks(self) -> None:
        """Make the hooks of all instances and the two functions that run them.

        Closures over plain integers: the block hook is entered for every block of guest
        code, and a variable of a closure costs a third of an attribute.
        """
        self._flags_id = int(x86.UC_X86_REG_RFLAGS if self._amd64 else x86.UC_X86_REG_EFLAGS)
        handle = 0
        words = memoryview(bytearray(18 * 8)).cast("Q")
        table: BlockTable | None = None
        nothing: dict[int, tuple[int, int, int]] = {}
        get = nothing.get
        ticks = limit = retired = 0
        event = CALLED
        vector = NOWHERE
        current = expected = NOWHERE
        inside: Block | None = None  # the block that `expected` belongs to
        charged: tuple[Block, ...] = ()
        repeats = False
        repeat_size = repetition = counter_mask = 0
        passes = NOWHERE  # stepping: this many blocks may still start; NOWHERE: no stepping
        failure: BaseException | None = None

        def halt(why: int) -> None:
            nonlocal event
            event = why
            _stop(handle)

        def on_block(_handle: int, address: int, size: int) -> None:
            nonlocal ticks, retired, current, expected, failure
            try:
                if address != expected:
                    entry = get(address)
                    if entry is not None:
                        length, cost, count = entry
                        if length == size and ticks < limit:
                            ticks += cost
                            retired += count
                            current = address
                            expected = NOWHERE
                            return
                elif repeats and size == repeat_size:
                    if not words[1] & counter_mask:
                        return
                    if ticks < limit:
                        ticks += repetition
                        return
                on_other_block(address, size)
            except BaseException as error:
                failure = error
                halt(CALLED)

        def on_other_block(address: int, size: int) -> None:
            nonlocal passes, expected, repeats, ticks, retired, current, charged
            if passes != NOWHERE:
                if not passes:
                    halt(STEPPED)
                passes -= 1
                return
            assert table is not None
            fresh = address != expected
            if not fresh and repeats:
                if size == repeat_size:
                    halt(EXPIRED)
                    return
                fresh = True  # the code has changed below it
                expected = NOWHERE
            if fresh:
                cover = table.covers.get(address)
                known = get(address)
                if known is not None and known[0] == size:
                    halt(EXPIRED)
                    return
            else:
                assert inside is not None
                cover = table.tails.get((address, inside.stop))
            if cover is None or cover.size != size:
                self.place, self.place_size = address, size
                halt(UNKNOWN)
                return
            if cover.margin != NOWHERE and ticks + cover.margin >= limit:
                halt(EXPIRED if fresh and ticks >= limit else WALK)
                return
            if not cover.fits:
                halt(WALK)
                return
            ticks += cover.ticks
            retired += cover.count
            if fresh:
                current = address
                charged = cover.charged
            elif cover.charged:
                charged = (*charged, *cover.charged) if charged else cover.charged
            go_inside(cover.inside, cover.after, repeating=cover.repeats)

        def go_inside(block: Block, after: int, *, repeating: bool) -> None:
            nonlocal inside, expected, repeats, repeat_size, repetition, counter_mask
            inside = block
            expected = after
            repeats = repeating
            if repeating:
                repeat_size = block.stop - after
                repetition = block.repetition
                counter_mask = block.counter_mask

        def on_interrupt(_handle: int, number: int) -> None:
            nonlocal vector, failure
            try:
                # `int 0x30` is the system call of ia32, and no exception has this number.
                if number != 0x30:
                    vector = number
                _stop(handle)
            except BaseException as error:
                failure = error

        def on_clock(_handle: int) -> int:
            nonlocal failure
            try:
                now = ticks
                at = words[IP]
                if charged and charged[0].start == current:
                    for block in reversed(charged):
                        if block.start <= at < block.stop:
                            break
                        now -= block.ticks
                now >>= 6
                words[0] = now & 0xFFFF_FFFF
                words[2] = now >> 32 & 0xFFFF_FFFF
            except BaseException as error:
                failure = error
                halt(CALLED)
            return 1

        def execute(
            cpu: Cpu, blocks: BlockTable, now: int, until: int, resume: Inside | None
        ) -> tuple[int, int, int]:
            nonlocal handle, words, table, get, ticks, limit, retired, event, vector
            nonlocal current, expected, charged, repeats, failure, passes
            host = cpu.host
            handle = host.handle  # type: ignore[attr-defined]
            words = cpu.words
            table = blocks
            get = blocks.simple.get
            ticks = now
            limit = until
            retired = 0
            event = CALLED
            vector = current = expected = NOWHERE
            charged = ()
            passes = NOWHERE
            if resume is not None:
                at = resume.block.start + resume.block.offsets[resume.index]
                current = resume.block.start
                charged = (resume.block,)
                repeats = False
                go_inside(resume.block, at, repeating=resume.repeats)
            status = _start(handle, words[16], 0, 0, 0)
            if failure is not None or status:
                check(status)
            if vector != NOWHERE:
                event = RAISED
            return event, ticks, retired

        def check(status: int) -> None:
            nonlocal vector, failure
            if failure is not None:
                error, failure = failure, None
                raise error
            if status == _INVALID_INSTRUCTION:
                vector = 6
                return
            assert not status, f"emulation ended with status {status}"

        def step(cpu: Cpu, now: int, alone: bool) -> int:
            nonlocal handle, words, get, ticks, event, vector, current, expected, passes
            nonlocal charged
            host = self.host_of(cpu)
            handle = host.handle
            words = cpu.words
            get = nothing.get
            ticks = now
            event = CALLED
            charged = ()
            vector = current = expected = NOWHERE
            # With the trap flag one exception ends it, and a translation that was
            # overwritten by its own instruction may start a second time.
            trap_flag = not alone and not words[FLAGS] & TRAP_FLAG
            passes = 1 if alone else _UNBOUNDED
            if trap_flag:
                words[FLAGS] |= TRAP_FLAG
            status = _start(handle, words[IP], 0, 0, 0)
            passes = NOWHERE
            if trap_flag:
                words[FLAGS] &= ~TRAP_FLAG
            if failure is not None or status:
                check(status)
            if vector == 1:
                ctypes.c_uint64.from_address(host.address + self._dr6).value = 0xFFFF_0FF0
            if vector == 1 and trap_flag:
                return STEPPED
            return RAISED if vector != NOWHERE else event

        def pass_blocks(count: int, on: int) -> None:
            nonlocal passes, get, handle, vector, expected
            handle = on
            passes = count
            vector = NOWHERE
            get = nothing.get
            expected = NOWHERE

        def stopped() -> Stop:
            chain = charged if charged and charged[0].start == current else ()
            return Stop(current, chain, expected, repeats)

        # Undeclared further arguments of a C callback do no harm, and each costs time.
        block_type = ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_uint32)
        interrupt_type = ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_uint32)
        clock_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_size_t)
        callbacks = block_type(on_block), interrupt_type(on_interrupt), clock_type(on_clock)
        self._callbacks.extend(callbacks)
        self._block_hook, self._interrupt_hook, self._clock_hook = (
            ctypes.cast(callback, ctypes.c_void_p).value or 0 for callback in callbacks
        )
        self.execute = execute
        self.step = step
        self.stopped = stopped
        self._vector = lambda: vector
        self._pass_blocks = pass_blocks


_AMD64_IDS = tuple(getattr(x86, f"UC_X86_REG_{name.upper()}") for name in _AMD64_NAMES[:8])
_IA32_IDS = tuple(getattr(x86, f"UC_X86_REG_{name.upper()}") for name in _IA32_NAMES)


def installed_version() -> str:
    """Give the version of Unicorn that is installed."""
    return str(_unicorn.__version__)


def watched_ips(engine: Engine, cpu: Cpu) -> set[int]:
    """Run a block under a memory hook and give the ips at which memory was accessed."""
    assert isinstance(engine, UnicornEngine)
    host = engine.host_of(cpu)
    seen: set[int] = set()

    def on_access(*_: object) -> None:
        seen.add(int(host.binding.reg_read(engine.ip_id)))

    kinds = uc.UC_HOOK_MEM_READ | uc.UC_HOOK_MEM_WRITE
    hook = host.binding.hook_add(kinds, on_access)
    host.binding.ctl_flush_tb()
    engine.step(cpu, 0, True)
    host.binding.hook_del(hook)
    host.binding.ctl_flush_tb()
    return seen


class _HookError(Exception):
    """Raised on purpose."""


class _FailingTable:
    """In place of a block table: the first look into it fails."""

    @property
    def simple(self) -> "_FailingTable":
        return self

    def get(self, _address: int) -> None:
        raise _HookError


def hook_error_propagates(engine: Engine, cpu: Cpu) -> bool:
    """Tell whether an exception raised in a block hook comes out of `execute`."""
    engine.prepare(cpu)
    failing: Any = _FailingTable()
    try:
        engine.execute(cpu, failing, 0, 1, None)
    except _HookError:
        return True
    return False


def _descriptor(base: int, access: int, flags: int) -> int:
    """Encode a descriptor of a 4 GiB segment, accessed bit included."""
    low = 0xFFFF | (base & 0xFF_FFFF) << 16 | access << 40
    return low | (0xF | flags << 4) << 48 | (base >> 24) << 56


def _peek(address: int, size: int) -> bytes:
    """Read memory of this process, as far as there is any."""
    descriptor = os.open("/proc/self/mem", os.O_RDONLY)
    try:
        return os.pread(descriptor, size, address)
    except (OSError, OverflowError):
        return b""
    finally:
        os.close(descriptor)


def _changes(before: bytes, after: bytes, old: bytes, new: bytes) -> list[int]:
    return [
        at
        for at in range(0, min(len(before), len(after)) - 3, 4)
        if before[at : at + 4] == old and after[at : at + 4] == new
    ]
