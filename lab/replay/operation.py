"""An instruction, taken apart: what it reads and writes, and whether it only moves a value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from capstone import x86_const as x86

_WORD = 4  # the least bytes of a value that is handed on


class Memory(NamedTuple):
    """An operand in memory."""

    base: str  # registers are named by their full width; "": none
    scaled: str
    scale: int
    offset: int
    size: int

    def address(self, load: Callable[[str], int]) -> int:
        """Compute the address before the instruction is executed."""
        at = self.offset
        if self.base:
            at += load(self.base)
        if self.scaled:
            at += load(self.scaled) * self.scale
        return at


Place: TypeAlias = str | Memory  # a register by its full width, or memory


@dataclass(frozen=True, slots=True)
class Operation:
    """An instruction."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    memory: tuple[Memory, ...]
    copy: tuple[str, str] | None  # of a word, from and to: a register, or "memory"
    flow: tuple[Place, Place] | None  # a move of any size, from and to
    is_return: bool
    pushes: bool  # what it makes the stack grow by, it stores
    is_own: bool  # it loads from where the segment base points
    clears: bool  # it makes a register zero, whatever was in it
    stores: bool  # its operand in memory is written and not read
    derives: bool  # what it makes of an address is an address into the same thing


_MOVES = (x86.X86_INS_MOV, x86.X86_INS_MOVABS)
_EXTENDS = (x86.X86_INS_MOVZX, x86.X86_INS_MOVSX, x86.X86_INS_MOVSXD)
_WIDE = (
    x86.X86_INS_MOVUPS,
    x86.X86_INS_MOVAPS,
    x86.X86_INS_MOVDQU,
    x86.X86_INS_MOVDQA,
    x86.X86_INS_MOVUPD,
    x86.X86_INS_MOVAPD,
    x86.X86_INS_MOVQ,
    x86.X86_INS_MOVD,
    x86.X86_INS_MOVLPS,
    x86.X86_INS_MOVHPS,
)
_STRINGS = {
    x86.X86_INS_MOVSB: 1,
    x86.X86_INS_MOVSW: 2,
    x86.X86_INS_MOVSD: 4,
    x86.X86_INS_MOVSQ: 8,
}
_DERIVES = (
    x86.X86_INS_ADD,
    x86.X86_INS_SUB,
    x86.X86_INS_LEA,
    x86.X86_INS_INC,
    x86.X86_INS_DEC,
    x86.X86_INS_AND,
)
_PUSHES = (
    x86.X86_INS_CALL,
    x86.X86_INS_PUSH,
    x86.X86_INS_PUSHFD,
    x86.X86_INS_PUSHFQ,
    x86.X86_INS_PUSHAL,
)
_CLEARS = (x86.X86_INS_XOR, x86.X86_INS_SUB)


def take_apart(instruction: Any, is_amd64: bool) -> Operation:
    """Take apart what capstone makes of an instruction, with its details."""
    name = instruction.reg_name
    reads, writes = instruction.regs_access()
    stack = "rsp" if is_amd64 else "esp"
    letter = stack[0]
    word = 8 if is_amd64 else 4
    operands = list(instruction.operands)
    places: list[Place | None] = [_place(each, instruction, is_amd64) for each in operands]
    kind = instruction.id
    is_address = kind in (x86.X86_INS_LEA, x86.X86_INS_NOP)
    memory = [each for each in places if isinstance(each, Memory) and not is_address]
    flow: tuple[Place, Place] | None = None
    copy: tuple[str, str] | None = None
    first = places[0] if places else None
    second = places[1] if len(places) > 1 else None
    is_string = kind in _STRINGS and (kind != x86.X86_INS_MOVSD or not _has_xmm(places))
    if is_string:
        size = _STRINGS[kind]
        source = Memory(f"{letter}si", "", 1, 0, size)
        flow = source, Memory(f"{letter}di", "", 1, 0, size)
        memory = [source]
    elif kind in (*_MOVES, *_EXTENDS, *_WIDE) and first is not None and second is not None:
        flow = second, first
    elif kind == x86.X86_INS_PUSH and first is not None:
        slot = Memory(stack, "", 1, -word, word)
        flow = first, slot
        memory = [slot] if isinstance(first, str) else [first]
    elif kind == x86.X86_INS_POP and first is not None:
        slot = Memory(stack, "", 1, 0, word)
        flow = slot, first
        memory = [slot] if isinstance(first, str) else [first]
    if flow is not None and kind in (*_MOVES, x86.X86_INS_PUSH, x86.X86_INS_POP):
        copy = _copy(flow, operands, is_amd64)
    changed = (_whole(name(each), is_amd64) for each in writes)
    clears = kind in _CLEARS and len(operands) == 2 and first is not None and first == second
    return Operation(
        reads=tuple(_whole(name(each), is_amd64) for each in reads),
        writes=tuple(each for each in changed if each not in (stack, "rflags", "eflags")),
        memory=tuple(memory),
        copy=copy,
        flow=flow,
        is_return=kind in (x86.X86_INS_RET, x86.X86_INS_RETF),
        pushes=kind in _PUSHES,
        is_own=any(
            each.type == x86.X86_OP_MEM and each.mem.segment in (x86.X86_REG_FS, x86.X86_REG_GS)
            for each in operands
        ),
        clears=clears,
        derives=kind in _DERIVES and not clears,
        stores=kind in _MOVES and isinstance(first, Memory),
    )


def _copy(
    flow: tuple[Place, Place], operands: list[Any], is_amd64: bool
) -> tuple[str, str] | None:
    """Say whether a move is one of a whole word, by general registers."""
    source, target = flow
    if any(each.type == x86.X86_OP_MEM and each.mem.segment for each in operands):
        return None
    if any(each.size < _WORD for each in operands):
        return None
    if isinstance(source, Memory):
        return None if isinstance(target, Memory) else ("memory", target)
    return source, "memory" if isinstance(target, Memory) else target


def _place(operand: Any, instruction: Any, is_amd64: bool) -> Place | None:
    name = instruction.reg_name
    if operand.type == x86.X86_OP_REG:
        return _whole(name(operand.reg), is_amd64)
    if operand.type != x86.X86_OP_MEM:
        return None
    at = operand.mem
    base = _whole(name(at.base), is_amd64) if at.base else ""
    offset = at.disp
    if base in ("rip", "eip"):
        base, offset = "", offset + instruction.address + instruction.size
    index = _whole(name(at.index), is_amd64) if at.index else ""
    if index in ("riz", "eiz"):
        index = ""
    return Memory(base, index, at.scale, offset, operand.size)


def _has_xmm(places: list[Place | None]) -> bool:
    return any(isinstance(each, str) and each.startswith("xmm") for each in places)


_BYTES = {f"{letter}{half}": f"{letter}x" for letter in "abcd" for half in ("l", "h")}
_BYTES |= {"sil": "si", "dil": "di", "bpl": "bp", "spl": "sp"}
_SEGMENTS = ("cs", "ds", "es", "fs", "gs", "ss")


def _whole(register: str, is_amd64: bool) -> str:
    """Name the register of full width that a register is part of."""
    if register[:1] == "r" and register[1:2].isdigit():
        return register.rstrip("dwb")
    register = _BYTES.get(register, register)
    if register[:1] in ("r", "e") and register not in _SEGMENTS:
        register = register[1:]
    if len(register) == 2 and register not in _SEGMENTS:
        return ("r" if is_amd64 else "e") + register
    return register
