"""What an instruction moves: where the value of a register or of memory comes from.

Rule: what is a plain move is said to be one; everything else is computed, and then all that
it reads counts, flags and addresses aside.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import capstone
from capstone import x86_const as x86

LONGEST = 15  # bytes of an instruction (Intel SDM vol. 2, 2.3.11)

_MOVES = frozenset(
    ("mov", "movabs", "movzx", "movsx", "movsxd", "push", "pop", "movsb", "movsw", "movsd")
    + ("movsq", "lodsb", "lodsd", "lodsq", "stosb", "stosw", "stosd", "stosq")
)
_INPUTS = {
    "rdtsc": "the clock",
    "rdtscp": "the clock",
    "cpuid": "the CPU's identification",
    "in": "a port",
}
_CALLS = frozenset(("syscall", "sysenter"))
# What the kernel's answer is in, and what a system call leaves undefined (ABI 1.2).
_ANSWERED = {
    8: frozenset(("rax", "rsi", "rcx", "r11", "r15")),
    4: frozenset(("eax", "esi", "ecx")),
}
_POINTERS = frozenset(("rsp", "esp", "rip", "eip"))
_WHOLE = {"a": "ax", "b": "bx", "c": "cx", "d": "dx"}


@dataclass(frozen=True, slots=True)
class FromRegister:
    """The value of a register, by its whole name."""

    name: str


@dataclass(frozen=True, slots=True)
class FromMemory:
    """The value at an address of the instruction's task."""

    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the instruction."""

    value: int


@dataclass(frozen=True, slots=True)
class Input:
    """A value that no program made."""

    what: str


Source = FromRegister | FromMemory | Constant | Input


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, as far as values go."""

    text: str
    writes: frozenset[str]  # whole registers
    sources: tuple[Source, ...]
    is_move: bool  # its one source is copied, nothing else


def read_instruction(
    code: bytes, ip: int, registers: Mapping[str, int], *, word: int
) -> Instruction | None:
    """Decode what is about to be executed with these registers; None: no instruction."""
    for found in _decoder(word).disasm(code, ip, 1):
        return _describe(found, registers, word)
    return None


def written_registers(code: bytes, ip: int, *, word: int) -> frozenset[str]:
    """Name the registers that an instruction may write, by their whole names."""
    for found in _decoder(word).disasm(code, ip, 1):
        return _written(found, word)
    return frozenset()


def whole_register(name: str, word: int) -> str:
    """Name the register of full width that a register is part of; itself if it is none."""
    letter = "r" if word == 8 else "e"
    if name in ("al", "ah", "bl", "bh", "cl", "ch", "dl", "dh"):
        return letter + _WHOLE[name[0]]
    if name[:1] == "r" and name[1:2].isdigit():
        return name.rstrip("bwd")
    short = name[1:] if name[:1] in "re" and len(name) == 3 else name
    if short in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "ip"):
        return letter + short
    if short in ("sil", "dil", "bpl", "spl"):
        return letter + short[:2]
    return name


@cache
def _decoder(word: int) -> Any:
    mode = capstone.CS_MODE_64 if word == 8 else capstone.CS_MODE_32
    engine = capstone.Cs(capstone.CS_ARCH_X86, mode)
    engine.detail = True
    return engine


def _written(found: Any, word: int) -> frozenset[str]:
    if _is_system_call(found, word):
        return _ANSWERED[word]
    _, writes = found.regs_access()
    return frozenset(whole_register(found.reg_name(each), word) for each in writes)


def _is_system_call(found: Any, word: int) -> bool:
    return found.mnemonic in _CALLS or (found.mnemonic == "int" and word == 4)


def _describe(found: Any, registers: Mapping[str, int], word: int) -> Instruction:
    name = found.mnemonic.rsplit(" ", 1)[-1]
    text = f"{found.mnemonic} {found.op_str}".strip()
    reads, _ = found.regs_access()
    written = _written(found, word)
    if name in _INPUTS:
        return Instruction(text, written, (Input(_INPUTS[name]),), False)
    if _is_system_call(found, word):
        return Instruction(text, written, (Input("the kernel's answer"),), False)
    if name == "call":
        return Instruction(text, written, (Constant(found.address + found.size),), False)
    operands = list(found.operands)
    if name in ("xor", "sub", "pxor") and len(operands) == 2 and _is_same(operands):
        return Instruction(text, written, (Constant(0),), True)
    if name == "lea":
        mem = operands[1].mem
        parts = _registers_of(found, mem, word)
        if parts:
            return Instruction(text, written, parts, False)
        address = mem.disp + (found.address + found.size if mem.base else 0)
        return Instruction(text, written, (Constant(address),), True)
    sources: list[Source] = []
    for place, operand in enumerate(operands):
        is_read = operand.access & capstone.CS_AC_READ or name == "push"
        if name in _MOVES and place == 0 and len(operands) > 1:
            continue
        if operand.type == x86.X86_OP_IMM:
            sources.append(Constant(operand.imm & (1 << 8 * word) - 1))
        elif operand.type == x86.X86_OP_REG and is_read:
            sources.append(FromRegister(whole_register(found.reg_name(operand.reg), word)))
        elif operand.type == x86.X86_OP_MEM and is_read:
            address = _address(found, operand.mem, registers, word)
            sources.append(FromMemory(address, operand.size))
    stack = registers["rsp" if word == 8 else "esp"]
    if name == "pop":
        sources = [FromMemory(stack, word)]
    if not operands:
        named = (whole_register(found.reg_name(each), word) for each in reads)
        sources += (FromRegister(each) for each in named if each in registers)
    distinct = tuple(dict.fromkeys(s for s in sources if not _is_pointer(s)))
    return Instruction(text, written, distinct, name in _MOVES and len(distinct) == 1)


def _is_same(operands: list[Any]) -> bool:
    first, second = operands
    both = first.type == second.type == x86.X86_OP_REG
    return bool(both and first.reg == second.reg)


def _is_pointer(source: Source) -> bool:
    return isinstance(source, FromRegister) and source.name in (*_POINTERS, "flags", "eflags")


def _registers_of(found: Any, mem: Any, word: int) -> tuple[Source, ...]:
    names = (found.reg_name(each) for each in (mem.base, mem.index) if each)
    whole = (whole_register(name, word) for name in names)
    distinct = dict.fromkeys(name for name in whole if name not in ("rip", "eip"))
    return tuple(map(FromRegister, distinct))


def _address(found: Any, mem: Any, registers: Mapping[str, int], word: int) -> int:
    address: int = mem.disp
    for register, scale in ((mem.base, 1), (mem.index, mem.scale)):
        if not register:
            continue
        name = whole_register(found.reg_name(register), word)
        if name in ("rip", "eip"):
            address += found.address + found.size
        else:
            address += registers[name] * scale
    if mem.segment in (x86.X86_REG_FS, x86.X86_REG_GS):
        address += registers.get(found.reg_name(mem.segment) + "_base", 0)
    return address & (1 << 8 * word) - 1
