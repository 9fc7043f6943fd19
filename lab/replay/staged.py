"""Words that wait in a register of the CPU for a message, while a function is called.

By the calling convention that function may use the register; but it may be meant to, too,
as by code in assembly.  So what is found here is a note at most.

Rule 1: a place counts if straight code sets a register that belongs to nobody to a number,
calls, and then stores the register, which nothing has read or set in between.
"""

import re
from dataclasses import dataclass
from typing import Any

import capstone
from capstone import x86_const as x86

from guest.image import Image
from kernel.abi import Page

_LONGEST = 32  # instructions from the one that sets it to the store
_BYTES = 160
# Where that may begin: mov ecx, esi or edi, number; a call and a store follow.
_BEGIN = re.compile(rb"(?=[\xb9\xbe\xbf].{4}.{0,60}?\xe8.{4}.{0,60}?\x89)", re.DOTALL)
_WIDE = {"ecx": "rcx", "esi": "rsi", "edi": "rdi"}
_LARGEST = 1 << 22  # bytes of code that are looked through


@dataclass(frozen=True, slots=True)
class Staged:
    """A store of a register that was set to `value` before a call."""

    pc: int
    value: int


def find_staged(image: Image) -> dict[int, Staged]:
    """Find all such stores of a program, by their address."""
    found: dict[int, Staged] = {}
    disassembler: Any = None
    for segment in image.segments:
        if not segment.rights & Page.X or len(segment.data) > _LARGEST:
            continue
        for match in _BEGIN.finditer(segment.data):
            if disassembler is None:
                disassembler = _disassembler(image)
            at = match.start()
            code = segment.data[at : at + _BYTES]
            staged = _follow(disassembler, code, segment.address + at)
            if staged is not None:
                found[staged.pc] = staged
    return found


def _disassembler(image: Image) -> Any:
    mode = capstone.CS_MODE_64 if image.arch.word == 8 else capstone.CS_MODE_32
    made: Any = capstone.Cs(capstone.CS_ARCH_X86, mode)
    made.detail = True
    return made


def _follow(disassembler: Any, code: bytes, address: int) -> Staged | None:
    """Follow straight code that begins by setting a register."""
    names: set[str] = set()
    value = 0
    is_called = False
    for instruction in disassembler.disasm(code, address, _LONGEST):
        operands = instruction.operands
        if not names:
            name = instruction.reg_name(operands[0].reg)
            names = {name, _WIDE[name]}
            value = operands[1].imm & 0xFFFF_FFFF
        elif instruction.id == x86.X86_INS_CALL:
            is_called = True
        elif instruction.group(x86.X86_GRP_JUMP) or instruction.group(x86.X86_GRP_RET):
            return None
        else:
            reads, writes = (
                {instruction.reg_name(each) for each in registers}
                for registers in instruction.regs_access()
            )
            if writes & names:
                return None
            if reads & names:
                is_store = (
                    instruction.id == x86.X86_INS_MOV
                    and operands[0].type == x86.X86_OP_MEM
                    and operands[1].type == x86.X86_OP_REG
                    and instruction.reg_name(operands[1].reg) in names
                )
                return Staged(instruction.address, value) if is_called and is_store else None
    return None
