"""The engine on Unicorn: its instances and their states; the only module that imports it.

Registers are read and written where Unicorn keeps them, and the layout of that state is
an ABI of one build.  So the version is pinned, everything is found by experiment once in
a process, and each instance is checked against what was found.  Executing is a runner's.
"""

import ctypes
import os
import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

import unicorn
from unicorn import unicorn_const as uc
from unicorn import x86_const as x86

from emu.blocks import NOWHERE
from emu.engine import FLAGS, IP, SP, Cpu, Engine, Functions, Marks, Runner
from emu.errors import BadCheckpointError, EngineError, NoSuchRegisterError
from emu.memory import PAGE, Memory, Window
from emu.paging import NO_EXECUTE, PRESENT, USER, WRITABLE, PageTables
from emu.runner import create_runner
from emu.traps import PAGE as PAGE_VECTOR

VERSION = "2.1.4"
_TRANSLATION_BUFFER = 4 << 20
_RUNNABLE = 0x202  # flags: interrupts enabled, I/O privilege 0
_USER_FLAGS = 0x254DD5  # those a program may set
_GDT_SLOT = 128  # bytes of one descriptor table

_unicorn: Any = unicorn  # its annotations are wrong in places
_library: Any = _unicorn.unicorn_py3.unicorn.uclib


def _address_of(name: str) -> int:
    return ctypes.cast(getattr(_library, name), ctypes.c_void_p).value or 0


# With plain integers: a fraction of what the binding costs.
_reg_read: Any = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.c_size_t, ctypes.c_int, ctypes.c_size_t
)(_address_of("uc_reg_read"))
_reg_write: Any = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.c_size_t, ctypes.c_int, ctypes.c_size_t
)(_address_of("uc_reg_write"))
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

_mmio_map: Any = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_size_t,
    ctypes.c_uint64,
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
)(_address_of("uc_mmio_map"))

_FUNCTIONS = Functions(_address_of("uc_emu_start"), _address_of("uc_emu_stop"))

# The order of the registers in the state, by the names the debugger uses.
_AMD64_NAMES = (
    *("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"),
    *(f"r{number}" for number in range(8, 16)),
    "rip",
)
_IA32_NAMES = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi")


# The order of the segments in the state, 24 bytes each.
_SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs")
_THREAD_SELECTOR = 0x43  # ia32: what fs and gs hold
_SELECTOR_BEFORE_BASE = 8  # a segment is selector, padding, base, limit, flags
_AMD64_OWN, _IA32_OWN = 11, 9  # where a thread's own descriptors begin in its table
_LOCAL_BASE = 0x90_0000  # local tables begin so far behind the others, one page each
_LOCAL_SELECTORS = 0x40, 0x38  # where amd64 and ia32 would have it in their table (ABI 1.2)
_LOCAL_FLAGS = 0x8200  # present, a local descriptor table
_ACCESSED = 1 << 40
_ARITHMETIC = 0x8D5  # flags that arithmetic sets
_DIRECTION = 0x400
_AS_FLAGS = 1  # CC_OP_EFLAGS
_LOADABLE = {  # the segment registers that a program may load
    "ds": x86.UC_X86_REG_DS,
    "es": x86.UC_X86_REG_ES,
    "fs": x86.UC_X86_REG_FS,
    "gs": x86.UC_X86_REG_GS,
}
# The status word first: it says where the top of the register stack is.
_FPU_REGISTERS = (
    x86.UC_X86_REG_FPSW,
    x86.UC_X86_REG_FPCW,
    x86.UC_X86_REG_FPTAG,
    x86.UC_X86_REG_MXCSR,
    *(getattr(x86, f"UC_X86_REG_FP{k}") for k in range(8)),
    *(getattr(x86, f"UC_X86_REG_XMM{k}") for k in range(8)),
)
_MORE_FPU_REGISTERS = tuple(getattr(x86, f"UC_X86_REG_XMM{k}") for k in range(8, 16))


@dataclass(frozen=True, slots=True)
class _Layout:
    """What is known of the instances of one architecture."""

    path: tuple[int, int]  # the register block: from the handle by a pointer at, and there at
    size: int  # of the CPU state, from its first register on
    initial: bytes  # a state at user level
    fs_base: int
    gdt_base: int
    ldt_base: int
    marks: Marks
    frozen_size: int  # everything that a program can change lies before
    volatile: frozenset[int]  # words that are no part of a frozen state


class UnicornEngine:
    """An engine on Unicorn instances, at most `pool` of them."""

    __slots__ = (
        "_amd64",
        "_descriptors",
        "_epoch",
        "_instances",
        "_layout",
        "_mask",
        "_memory",
        "_pool",
        "_screened",
        "_watched",
        "runner",
    )

    def __init__(self, memory: Memory, tables: PageTables, *, pool: int) -> None:
        self._memory = memory
        self._amd64 = tables.is_amd64
        self._mask = (1 << 64) - 1 if self._amd64 else (1 << 32) - 1
        self._pool = pool
        self._instances: list[_Instance] = []
        self._epoch = 0
        self._watched: tuple[range, ...] = ()
        self._screened: tuple[range, ...] = ()
        self._layout = _layout(self._amd64)
        self._descriptors = _Descriptors(memory, tables)
        self.runner = create_runner(_FUNCTIONS)
        self.runner.set_marks(self._layout.marks)

    # -- states -----------------------------------------------------------------

    def create_cpu(self, *, root: int, slot: int, ip: int, sp: int, thread_base: int) -> Cpu:
        """Make the state of a thread at user level; `slot` numbers its descriptor table."""
        layout = self._layout
        blob = bytearray(layout.initial)
        bases = [layout.fs_base + 24]
        if not self._amd64:
            bases.append(layout.fs_base)
            gdt = self._descriptors.write(slot, thread_base)
            struct.pack_into("<Q", blob, layout.gdt_base, gdt)
        for base in bases:
            struct.pack_into("<Q", blob, base, thread_base)
        cpu = Cpu(blob, root)
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
            ctypes.memmove(host.address, bytes(cpu.blob), self._layout.size)
            host.cpu = cpu
            cpu.host = host
            cpu.words = host.words
            cpu.handle = host.handle
            cpu.state = host.address
        if host.watched is not self._watched or host.screened is not self._screened:
            self._equip(host)
        # Writing CR3 also drops all cached page table entries.
        host.write(x86.UC_X86_REG_CR3, cpu.root)
        if host.epoch != self._epoch:
            host.binding.ctl_flush_tb()
            host.epoch = self._epoch
        cpu.ready = True

    def forget_code(self) -> None:
        """Drop all translations; every state must be prepared again."""
        self._epoch += 1
        self._unready()

    def watch(self, ranges: tuple[range, ...]) -> None:
        """Let the runner see accesses to physical ranges; it may see others, too."""
        self._watched = ranges
        self._unready()

    def screen(self, ranges: tuple[range, ...]) -> None:
        """Let the runner do all accesses to these ranges of shared memory itself."""
        self._screened = ranges
        self._unready()

    def flags(self, cpu: Cpu) -> int:
        """Compute the flags register."""
        return self.host_of(cpu).read(self._flags_id)

    def load_register(self, cpu: Cpu, name: str) -> int:
        """Load any register by its lower-case name."""
        index = self._index(name)
        if index is not None:
            return int(cpu.words[index]) & self._mask
        if name == "flags":
            return self.flags(cpu)
        if name in _SEGMENTS:
            at = self.host_of(cpu).address + self._base_offset(f"{name}_base")
            return int(ctypes.c_uint32.from_address(at - _SELECTOR_BEFORE_BASE).value)
        base = self.host_of(cpu).address + self._base_offset(name)
        return int(ctypes.c_uint64.from_address(base).value) & self._mask

    def store_register(self, cpu: Cpu, name: str, value: int) -> None:
        """Store any register by its lower-case name."""
        value &= self._mask
        index = self._index(name)
        if index is not None:
            cpu.words[index] = value
        elif name == "flags":
            self.host_of(cpu).write(self._flags_id, value & _USER_FLAGS | _RUNNABLE)
        elif name in _LOADABLE:
            self.host_of(cpu).load_segment(_LOADABLE[name], value)
        else:
            base = self.host_of(cpu).address + self._base_offset(name)
            ctypes.c_uint64.from_address(base).value = value

    def store_descriptors(
        self, cpu: Cpu, *, slot: int, thread_base: int, own: list[int]
    ) -> None:
        """Fill the descriptor table `slot`, the state's own from now on."""
        table = self._descriptors.write(slot, thread_base, own)
        ctypes.c_uint64.from_address(
            self.host_of(cpu).address + self._layout.gdt_base
        ).value = table

    def fill_local_table(self, slot: int, descriptors: list[int]) -> None:
        """Fill the local descriptor table `slot`, from its first entry on."""
        self._descriptors.write_local(slot, descriptors)

    def load_local_table(self, cpu: Cpu, *, slot: int, size: int) -> None:
        """Let the state use the first `size` entries of a local descriptor table."""
        # Written to wherever the state is: nothing that was computed depends on it.
        host = cpu.host
        state: Any = cpu.blob
        if isinstance(host, _Instance):
            state = (ctypes.c_char * self._layout.size).from_address(host.address)
        selector = _LOCAL_SELECTORS[0 if self._amd64 else 1]
        base = self._descriptors.local_table(slot)
        at = self._layout.ldt_base - _SELECTOR_BEFORE_BASE
        struct.pack_into("<QQII", state, at, selector, base, 8 * size - 1, _LOCAL_FLAGS)

    def copy_fpu(self, cpu: Cpu, source: Cpu) -> None:
        """Take over x87 and SSE registers of another state."""
        # One instance may not be enough to hold both, so all is read before it is written.
        registers = _FPU_REGISTERS + (_MORE_FPU_REGISTERS if self._amd64 else ())
        values = self.host_of(source).load_many(registers)
        self.host_of(cpu).store_many(registers, values)

    def store_segment_base(self, cpu: Cpu, segment: str, base: int) -> None:
        """Set a segment's base, and its selector to 0."""
        at = self.host_of(cpu).address + self._base_offset(f"{segment}_base")
        ctypes.c_uint64.from_address(at).value = base
        ctypes.c_uint32.from_address(at - _SELECTOR_BEFORE_BASE).value = 0

    def freeze(self, cpu: Cpu) -> bytes:
        """Encode the words that differ from a fresh state: pointers never do."""
        layout, host = self._layout, cpu.host
        if isinstance(host, _Instance):
            blob = host.state(layout.size)
        else:
            blob = bytes(cpu.blob)
        blob = _with_plain_flags(blob)
        parts: list[bytes] = []
        for at in range(0, layout.frozen_size, 8):
            if blob[at : at + 8] != layout.initial[at : at + 8] and at not in layout.volatile:
                parts.append(struct.pack("<H", at) + blob[at : at + 8])
        return b"".join(parts)

    def thaw(
        self, data: bytes, *, root: int, slot: int, thread_base: int, own: list[int]
    ) -> Cpu:
        """Make a state of what `freeze` gave; `own` are the thread's own descriptors."""
        layout = self._layout
        if len(data) % 10:
            raise BadCheckpointError(f"a CPU state of {len(data)} bytes")
        blob = bytearray(layout.initial)
        for part in range(0, len(data), 10):
            (at,) = struct.unpack_from("<H", data, part)
            if at % 8 or at >= layout.frozen_size or at in layout.volatile:
                raise BadCheckpointError(f"a CPU state has no word at {at:#x}")
            blob[at : at + 8] = data[part + 2 : part + 10]
        if any(own) or not self._amd64:
            table = self._descriptors.write(slot, thread_base, own)
            if struct.unpack_from("<Q", blob, layout.gdt_base) != (table,):
                raise BadCheckpointError(f"a CPU state whose descriptor table is not {slot}")
        return Cpu(blob, root)

    def close(self) -> None:
        """Give all instances back."""
        for instance in self._instances:
            if instance.cpu is not None:
                self._evict(instance)
        self._instances.clear()

    # -- hosts ------------------------------------------------------------------

    def host_of(self, cpu: Cpu) -> "_Instance":
        """Give the instance that holds a state, preparing it if need be."""
        if not cpu.ready:
            self.prepare(cpu)
        host = cpu.host
        assert isinstance(host, _Instance)
        return host

    def _equip(self, host: "_Instance") -> None:
        """Give an instance the hooks and mappings that are wanted now."""
        # Where memory is unmapped, Unicorn fetches, and leaves a page fault pending.
        kept = host.state(self._layout.size)
        if host.watched is not self._watched:
            host.watch(self._watched)
        if host.screened is not self._screened:
            host.screen(self._memory.shared, self._screened, self.runner)
        ctypes.memmove(host.address, kept, self._layout.size)
        host.epoch = NOWHERE  # hooks come and go with translations

    def _unready(self) -> None:
        for instance in self._instances:
            if instance.cpu is not None:
                instance.cpu.ready = False

    def _free_instance(self) -> "_Instance":
        for instance in self._instances:
            if instance.cpu is None:
                return instance
        if len(self._instances) < self._pool:
            instance = _Instance(self._memory, self._amd64, self.runner)
            instance.locate(self._layout.path)
            instance.epoch = self._epoch
            self._instances.append(instance)
            return instance
        oldest = min(self._instances, key=lambda each: each.cpu.stamp if each.cpu else -1)
        self._evict(oldest)
        return oldest

    def _evict(self, instance: "_Instance") -> None:
        cpu = instance.cpu
        assert cpu is not None
        cpu.blob[:] = instance.state(self._layout.size)
        cpu.words = memoryview(cpu.blob)[: 18 * 8].cast("Q")
        cpu.host = None
        cpu.ready = False
        instance.cpu = None

    # -- registers --------------------------------------------------------------

    @property
    def _flags_id(self) -> int:
        return int(x86.UC_X86_REG_RFLAGS if self._amd64 else x86.UC_X86_REG_EFLAGS)

    def _index(self, name: str) -> int | None:
        names = _AMD64_NAMES if self._amd64 else _IA32_NAMES
        if name in names:
            return names.index(name)
        return IP if name == "eip" and not self._amd64 else None

    def _base_offset(self, name: str) -> int:
        segment, _, base = name.partition("_")
        if segment not in _SEGMENTS or base != "base":
            raise NoSuchRegisterError(name)
        distance = _SEGMENTS.index(segment) - _SEGMENTS.index("fs")
        return self._layout.fs_base + 24 * distance


class _Instance:
    """One emulator and the place of its CPU state."""

    __slots__ = (
        "_access",
        "_hooks",
        "_is_amd64",
        "_shared",
        "_word",
        "address",
        "binding",
        "cpu",
        "epoch",
        "handle",
        "screened",
        "watched",
        "words",
    )

    def __init__(self, memory: Memory, is_amd64: bool, runner: Runner) -> None:
        mode = uc.UC_MODE_64 if is_amd64 else uc.UC_MODE_32
        binding = _unicorn.Uc(uc.UC_ARCH_X86, mode, x86.UC_CPU_X86_NEHALEM)
        binding.ctl_set_tcg_buffer_size(_TRANSLATION_BUFFER)
        # Left empty: otherwise an address 0 given as `until` ends a run there.
        binding.ctl_exits_enabled(True)
        for window in memory.windows():
            binding.mem_map_ptr(window.base, window.size, uc.UC_PROT_ALL, window.host_address)
        self._shared: list[range] = [_range(memory.shared)]  # how that is mapped
        self.screened: tuple[range, ...] = ()
        self._is_amd64 = is_amd64
        self._word = ctypes.c_uint64()
        self.binding = binding
        self.handle: int = binding._uch.value
        self.address = 0
        self.words = memoryview(b"")
        self.cpu: Cpu | None = None
        self.epoch = 0
        self.watched: tuple[range, ...] = ()
        self._hooks: list[int] = []
        hooks, stop = runner.hooks, _FUNCTIONS.stop
        self._access = hooks.access, hooks.data
        self._hook(uc.UC_HOOK_BLOCK, hooks.block, hooks.data)
        self._hook(uc.UC_HOOK_INTR, hooks.interrupt, hooks.data)
        self._hook(uc.UC_HOOK_INSN, stop, 0, x86.UC_X86_INS_SYSCALL)
        self._hook(uc.UC_HOOK_INSN, hooks.clock, hooks.data, x86.UC_X86_INS_RDTSC)

    @property
    def ip_id(self) -> int:
        """Unicorn's number for the instruction pointer."""
        return int(x86.UC_X86_REG_RIP if self._is_amd64 else x86.UC_X86_REG_EIP)

    def read(self, register: int) -> int:
        """Read a register by Unicorn's number."""
        _reg_read(self.handle, register, ctypes.addressof(self._word))
        return self._word.value

    def write(self, register: int, value: int) -> None:
        """Write a register by Unicorn's number."""
        self._word.value = value
        _reg_write(self.handle, register, ctypes.addressof(self._word))

    def load_many(self, registers: tuple[int, ...]) -> list[Any]:
        """Read registers of any size."""
        return [self.binding.reg_read(register) for register in registers]

    def store_many(self, registers: tuple[int, ...], values: list[Any]) -> None:
        """Write registers of any size."""
        for register, value in zip(registers, values, strict=True):
            self.binding.reg_write(register, value)

    def load_segment(self, register: int, selector: int) -> None:
        """Load a segment register, with the null selector if this one may not be loaded."""
        try:
            self.binding.reg_write(register, selector & 0xFFFF)
        except _unicorn.UcError:
            self.binding.reg_write(register, 0)

    def state(self, size: int) -> bytes:
        """Copy the CPU state."""
        return ctypes.string_at(self.address, size)

    def locate(self, path: tuple[int, int] | None) -> tuple[int, int]:
        """Find the register block, by the path if that is known, and check it."""
        marks = [0x1B5A_0000 + 0x1111 * number for number in range(8)]
        ids = _AMD64_IDS if self._is_amd64 else _IA32_IDS
        for register, mark in zip(ids, marks, strict=True):
            self.write(register, mark)
        pattern = struct.pack("<8Q", *marks)
        if path is None:
            path = self._search(pattern, ids[0])
        outer, inner = path
        address = int.from_bytes(_peek(self.handle + outer, 8), "little") + inner
        if _peek(address, 64) != pattern:
            raise EngineError("the registers of an instance are not where others have them")
        self.address = address
        block = (ctypes.c_uint64 * 18).from_address(address)
        self.words = memoryview(block).cast("B").cast("Q")
        self.write(self.ip_id, 0x1234_5678)
        if self.words[IP] != 0x1234_5678:
            raise EngineError("the instruction pointer is not behind the registers")
        for register in ids:
            self.write(register, 0)
        return path

    def _search(self, pattern: bytes, first: int) -> tuple[int, int]:
        handle = _peek(self.handle, 0x1000)
        found: list[tuple[int, int]] = []
        for outer in range(0, len(handle) - 7, 8):
            pointer = int.from_bytes(handle[outer : outer + 8], "little")
            if pointer < PAGE or pointer % 8:
                continue
            inner = _peek(pointer, 0x1_0000).find(pattern)
            while inner >= 0:
                # A stale copy does not follow a new write.
                self.write(first, 0x1B5A_FFFF)
                follows = _peek(pointer + inner, 4) == b"\xff\xff\x5a\x1b"
                self.write(first, 0x1B5A_0000)
                if follows and inner % 8 == 0:
                    found.append((inner, outer))
                    break
                inner = _peek(pointer, 0x1_0000).find(pattern, inner + 1)
        if not found:
            raise EngineError("no register block in a Unicorn instance")
        # The nearest pointer is the one to the CPU itself; others are of things that
        # happen to be allocated before it.
        inner, outer = min(found)
        return outer, inner

    def watch(self, ranges: tuple[range, ...]) -> None:
        """Show accesses to these physical ranges to the runner; translations must go."""
        for hook in self._hooks:
            _library.uc_hook_del(self.binding._uch, ctypes.c_size_t(hook))
        kinds = uc.UC_HOOK_MEM_READ | uc.UC_HOOK_MEM_WRITE
        self._hooks = [self._hook(kinds, *self._access, place=each) for each in ranges]
        self.watched = ranges

    def screen(self, shared: Window, ranges: tuple[range, ...], runner: Runner) -> None:
        """Map shared memory, and let the runner do all accesses to some ranges of it."""
        for part in self._shared:
            self.binding.mem_unmap(part.start, len(part))
        self._shared.clear()
        at = shared.base
        for screened in (*ranges, range(shared.base + shared.size, 0)):
            if at < screened.start:
                host_address = shared.host_address + at - shared.base
                size = screened.start - at
                self.binding.mem_map_ptr(at, size, uc.UC_PROT_ALL, host_address)
                self._shared.append(range(at, screened.start))
            if screened:
                data = runner.region(screened.start)
                hooks = runner.hooks
                status = _mmio_map(
                    *(self.handle, screened.start, len(screened)),
                    *(hooks.read, data, hooks.write, data),
                )
                if status:
                    raise EngineError(f"mapping of {screened} refused with status {status}")
                self._shared.append(screened)
            at = screened.stop
        self.screened = ranges

    def _hook(
        self,
        kind: int,
        function: int,
        data: int,
        instruction: int = 0,
        place: range = range(1, 1),
    ) -> int:
        hook = ctypes.c_size_t()
        status = _hook_add(
            self.handle,
            ctypes.addressof(hook),
            kind,
            function,
            data,
            place.start,
            place.stop - 1,  # before the start: everywhere
            instruction,
        )
        if status:
            raise EngineError(f"hook of kind {kind:#x} refused with status {status}")
        return hook.value


class _Descriptors:
    """The descriptor tables of one machine, and the task segment that all share."""

    __slots__ = ("_memory", "_pages", "_tables")

    def __init__(self, memory: Memory, tables: PageTables) -> None:
        self._memory = memory
        self._tables = tables
        self._pages: dict[int, int] = {}
        # An iret with the nested-task flag reads the task segment: give it zeros.
        tables.map_system(self.task, tables.take_page(), PRESENT | WRITABLE | NO_EXECUTE)
        self.write(0, 0)

    @property
    def task(self) -> int:
        """The linear address of the task segment."""
        return self._tables.system

    def write(self, slot: int, thread_base: int, own: list[int] | None = None) -> int:
        """Fill one descriptor table and give its linear address."""
        is_amd64 = self._tables.is_amd64
        code = 0xA if is_amd64 else 0xC
        entries = [0] * 16
        entries[1] = _descriptor(0, 0x9B, code)
        entries[2] = _descriptor(0, 0x93, 0xC)
        # On amd64 the 32-bit code segment is not present: a program that loads it gets
        # vector 11.  The decoder knows one instruction set per machine.
        entries[3] = _descriptor(0, 0x7B if is_amd64 else 0xFB, 0xC)
        entries[4] = _descriptor(0, 0xF3, 0xC)
        if is_amd64:
            entries[5] = _descriptor(0, 0xFB, 0xA)
        else:
            entries[8] = _descriptor(thread_base, 0xF3, 0xC)
        first = _AMD64_OWN if is_amd64 else _IA32_OWN
        for number, descriptor in enumerate(own or ()):
            # Accessed from the start: otherwise the CPU would say so at the first load.
            entries[first + number] = descriptor | _ACCESSED if descriptor else 0
        number, place = divmod(slot * _GDT_SLOT, PAGE)
        address = self._tables.system + 0x10_0000 + number * PAGE
        offset = self._place(address) + place
        struct.pack_into("<16Q", self._memory.tables.memory, offset, *entries)
        return address + place

    def local_table(self, slot: int) -> int:
        """The linear address of a local table."""
        return self._tables.system + _LOCAL_BASE + slot * PAGE

    def write_local(self, slot: int, descriptors: list[int]) -> None:
        """Fill the local table `slot`; what lies behind `descriptors` is zero."""
        words = [d | _ACCESSED if d else 0 for d in descriptors]
        data = struct.pack(f"<{len(words)}Q", *words).ljust(PAGE, b"\0")
        offset = self._place(self.local_table(slot))
        self._memory.tables.memory[offset : offset + PAGE] = data

    def _place(self, address: int) -> int:
        # Where in the tables window the page is that shows there; it stays where it is.
        if address not in self._pages:
            page = self._tables.take_page()
            self._tables.map_system(address, page, PRESENT | WRITABLE | NO_EXECUTE)
            self._pages[address] = page
        return self._pages[address] - self._memory.tables.base


@cache
def _layout(is_amd64: bool) -> _Layout:
    """Find out about the instances of one architecture, with one that is then dropped."""
    if _unicorn.__version__ != VERSION:
        raise EngineError(f"unicorn {_unicorn.__version__}, need {VERSION}")
    memory = Memory(PAGE)
    tables = PageTables(memory.tables, is_amd64=is_amd64)
    runner = create_runner(_FUNCTIONS)
    return _Calibration(memory, tables, runner).layout()


def _with_plain_flags(blob: bytes) -> bytes:
    """Give a CPU state whose flags are in one form only.

    Unicorn also has the operands that they can be computed from, in more than one way.
    Whenever it starts, it makes of the flags register what is made here (cpu_exec_enter
    in its target/i386): no result, the flags as the first operand, and a direction of 1 or
    -1 beside the number of the operation, which means that these are the flags.
    """
    flags = int.from_bytes(blob[FLAGS * 8 : FLAGS * 8 + 8], "little")
    direction = -1 if flags & _DIRECTION else 1
    plain = struct.pack("<3QIi", 0, flags & _ARITHMETIC, 0, _AS_FLAGS, direction)
    return blob[: FLAGS * 8 + 8] + plain + blob[FLAGS * 8 + 8 + len(plain) :]


class _Calibration:
    """An instance brought to user level, to find by experiment where it keeps things."""

    def __init__(self, memory: Memory, tables: PageTables, runner: Runner) -> None:
        self._amd64 = tables.is_amd64
        self._memory = memory
        self._tables = tables
        self._runner = runner
        self._descriptors = _Descriptors(memory, tables)
        self._instance = _Instance(memory, self._amd64, runner)
        self._path = self._instance.locate(None)
        self._size = self._measure()
        self._root = tables.create_root()
        self._boot()
        self._initial = self._instance.state(self._size)

    def layout(self) -> _Layout:
        """Find everything that has no register number by provoking it."""
        instance = self._instance
        cr2 = self._moved(x86.UC_X86_REG_CR2, 0x1357_9000)
        dr6 = self._moved(x86.UC_X86_REG_DR6, 0x2468)
        cr3 = self._moved(x86.UC_X86_REG_CR3, self._root | 0x8)
        gdtr = 0, 0x1357_9240, _GDT_SLOT - 1, 0
        gdt_base = self._moved(x86.UC_X86_REG_GDTR, gdtr, shows=gdtr[1])
        ldtr = 0, 0x1357_9246, 0, 0
        ldt_base = self._moved(x86.UC_X86_REG_LDTR, ldtr, shows=ldtr[1])
        if self._amd64:
            fs_base = self._moved(x86.UC_X86_REG_FS_BASE, 0x1357_9246)
            gs_base = self._moved(x86.UC_X86_REG_GS_BASE, 0x1357_9246)
        else:
            self._descriptors.write(0, 0x1357_9246)
            fs_base = self._moved(x86.UC_X86_REG_FS, _THREAD_SELECTOR, shows=0x1357_9246)
            gs_base = self._moved(x86.UC_X86_REG_GS, _THREAD_SELECTOR, shows=0x1357_9246)
        self._restore()
        # A fetch from where nothing is mapped: vector 14, user fetch, not present.
        vector = self._runner.enter(instance.handle, 0x5000)
        after = instance.state(self._size)
        pending = _changes(self._initial, after, b"\xff\xff\xff\xff", b"\x0e\0\0\0")
        errors = _changes(self._initial, after, b"\0\0\0\0", b"\x14\0\0\0")
        if len(pending) != 1 or len(errors) != 1 or vector != PAGE_VECTOR:
            raise EngineError(f"faults leave their marks at {pending} and {errors}")
        frozen_size = dr6 & ~7
        if _with_plain_flags(self._initial) != self._initial:
            raise EngineError("the flags are not laid out as expected")
        in_order = gs_base - fs_base == 24 == ldt_base - gs_base
        if not in_order or not errors[0] < frozen_size <= self._size:
            raise EngineError("the CPU state is not laid out as expected")
        return _Layout(
            path=self._path,
            size=self._size,
            initial=self._initial,
            fs_base=fs_base,
            gdt_base=gdt_base,
            ldt_base=ldt_base,
            marks=Marks(pending[0], errors[0], cr2, dr6),
            frozen_size=frozen_size,
            # Behind the error code lies where a software interrupt went on.  The local
            # descriptor table is the space's.
            volatile=frozenset(
                at & ~7
                for at in (
                    *(cr2, dr6, cr3, pending[0], errors[0], errors[0] + 8),
                    *(ldt_base - 8, ldt_base, ldt_base + 8),
                )
            ),
        )

    def _measure(self) -> int:
        """Find how much of the state Unicorn itself saves in a context."""
        instance = self._instance
        instance.words[0] = 0x1B5A_7777
        size = int(_library.uc_context_size(instance.binding._uch))
        context = instance.binding.context_save()
        saved = ctypes.string_at(context.context.value, size)
        instance.words[0] = 0
        header = saved.find(struct.pack("<Q", 0x1B5A_7777))
        if header < 0:
            raise EngineError("a saved context does not show the registers")
        return len(saved) - header

    def _boot(self) -> None:
        """Go to user level with one iret, as the hardware does."""
        instance, tables, window = self._instance, self._tables, self._memory.tables
        write = instance.binding.reg_write
        stub, stack = tables.system + PAGE, tables.system + 2 * PAGE
        stub_page, stack_page = tables.take_page(), tables.take_page()
        tables.map_system(stub, stub_page, PRESENT)
        tables.map_system(stack, stack_page, PRESENT | WRITABLE | NO_EXECUTE)
        tables.store(tables.slot(self._root, PAGE), stub_page | PRESENT | USER)
        offset = stub_page - window.base
        window.memory[offset : offset + 2] = b"\x48\xcf" if self._amd64 else b"\xcf\x90"
        gdt = self._descriptors.write(0, 0)
        efer = 0xD01 if self._amd64 else 0x800  # SCE, LME, LMA; NXE
        write(x86.UC_X86_REG_MSR, (0xC000_0080, efer))
        write(x86.UC_X86_REG_CR4, 0x620)  # PAE, OSFXSR, OSXMMEXCPT
        write(x86.UC_X86_REG_CR3, self._root)
        write(x86.UC_X86_REG_CR0, 0x8001_0033)  # PG WP NE ET MP PE
        write(x86.UC_X86_REG_GDTR, (0, gdt, _GDT_SLOT - 1, 0))
        write(x86.UC_X86_REG_TR, (0, self._descriptors.task, 0x67, 0x8B00))
        write(x86.UC_X86_REG_CS, 8)
        write(x86.UC_X86_REG_SS, 0x10)
        data = 0x23
        write(x86.UC_X86_REG_DS, data)
        write(x86.UC_X86_REG_ES, data)
        if not self._amd64:
            write(x86.UC_X86_REG_FS, _THREAD_SELECTOR)
            write(x86.UC_X86_REG_GS, _THREAD_SELECTOR)
        code = 0x2B if self._amd64 else 0x1B
        frame = struct.pack(
            "<5Q" if self._amd64 else "<5I", PAGE + 0x800, code, _RUNNABLE, 0, data
        )
        offset = stack_page - window.base + 0x800
        window.memory[offset : offset + len(frame)] = frame
        instance.words[SP] = stack + 0x800
        self._runner.enter(instance.handle, stub)
        if instance.words[IP] != PAGE + 0x800:
            raise EngineError(f"no way to user level: stopped at {instance.words[IP]:#x}")
        for index in range(IP):
            instance.words[index] = 0

    def _moved(self, register: int, value: Any, *, shows: int | None = None) -> int:
        """Find the place in the state where a register is kept."""
        before = self._instance.state(self._size)
        self._instance.binding.reg_write(register, value)
        after = self._instance.state(self._size)
        self._restore()
        mark = struct.pack("<I", value if shows is None else shows)
        places = [
            at
            for at in range(0, self._size - 4, 4)
            if after[at : at + 4] == mark != before[at : at + 4]
        ]
        if len(places) != 1:
            raise EngineError(f"register {register} is kept at {places}")
        return places[0]

    def _restore(self) -> None:
        ctypes.memmove(self._instance.address, self._initial, self._size)


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
        seen.add(host.read(host.ip_id))

    kinds = uc.UC_HOOK_MEM_READ | uc.UC_HOOK_MEM_WRITE
    hook = host.binding.hook_add(kinds, on_access)
    host.binding.ctl_flush_tb()
    engine.runner.step(cpu, 0, True)
    host.binding.hook_del(hook)
    host.binding.ctl_flush_tb()
    return seen


def _descriptor(base: int, access: int, flags: int) -> int:
    """Encode a descriptor of a 4 GiB segment, accessed bit included."""
    low = 0xFFFF | (base & 0xFF_FFFF) << 16 | access << 40
    return low | (0xF | flags << 4) << 48 | (base >> 24) << 56


def _range(window: Window) -> range:
    return range(window.base, window.base + window.size)


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
