"""What the bytes of an instruction say besides: prefixes, opcode, and its form."""

from typing import Any

import capstone
from capstone import x86


def words(text: str) -> frozenset[str]:
    """Give the words of a text as a set."""
    return frozenset(text.split())


_PREFIXES = frozenset(b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3")
_STRING = frozenset(b"\x6c\x6d\x6e\x6f\xa4\xa5\xa6\xa7\xaa\xab\xac\xad\xae\xaf")
HIGH_BYTES = ("ah", "bh", "ch", "dh")

# Opcodes of the one-byte map whose immediate has 16 bits with an operand-size prefix and 32
# without: the predecoder takes longer over these (Intel, "Length-Changing
# Prefixes (LCP)").  0xF7 has an immediate only where it is `test`.
_WORD_IMMEDIATES = frozenset(
    b"\x05\x0d\x15\x1d\x25\x2d\x35\x3d\x68\x69\x81\xa9\xc7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf"
)
_COUNTED = words("sal shl shr sar rol ror rcl rcr shld shrd")
# With an index these bases are encoded with a displacement, if only of zero.
_NEEDS_DISPLACEMENT = ("rbp", "ebp", "r13", "r13d")


def opcode_offset(code: bytes, *, is_amd64: bool) -> int:
    """Give the offset of the first byte that is neither a legacy prefix nor REX."""
    at = 0
    while at < len(code) - 1 and code[at] in _PREFIXES:
        at += 1
    if is_amd64 and at < len(code) - 1 and code[at] & 0xF0 == 0x40:
        at += 1
    return at


def is_vector_encoded(code: bytes, first: int, *, is_amd64: bool) -> bool:
    """Tell whether a VEX or EVEX prefix begins at offset `first`."""
    if code[first] not in (0xC4, 0xC5, 0x62) or first + 1 >= len(code):
        return False
    # In 32-bit code a memory operand makes the same byte les, lds or bound.
    return is_amd64 or code[first + 1] >= 0xC0


def last_opcode_offset(code: bytes, first: int, *, is_vector: bool) -> int:
    """Give the offset of the opcode byte that follows the escapes, from that of the first."""
    if is_vector:
        at = first + {0xC5: 2, 0xC4: 3, 0x62: 4}[code[first]]
    elif code[first] != 0x0F:
        at = first
    else:
        at = first + (2 if code[first + 1] in (0x38, 0x3A) else 1)
    return min(at, len(code) - 1)


def changes_length(code: bytes, first: int, *, is_vector: bool) -> bool:
    """Tell whether an operand-size prefix changes the length of the immediate."""
    if is_vector or 0x66 not in code[:first]:
        return False
    if first and code[first - 1] & 0xF8 == 0x48 and code[first - 1] != 0x66:
        return False  # REX.W overrules the prefix
    opcode = code[first]
    if opcode == 0xF7:
        return (code[first + 1] >> 3) & 7 < 2
    return opcode in _WORD_IMMEDIATES


def is_repeated(code: bytes, first: int) -> bool:
    """Tell whether it is a string instruction with a repeat prefix."""
    return code[first] in _STRING and (0xF2 in code[:first] or 0xF3 in code[:first])


def form_of(raw: Any, code: bytes, first: int) -> str:
    """Name the instruction form: what the tables tell apart.

    ``add r64,m64``; of registers the width or the kind (x and y: vectors, h8: ah and its
    like), ``i`` an immediate, ``1`` the shift by one that has its own opcode, ``a`` in place
    of ``r`` the short form for the accumulator, ``three`` a `lea` of three components, and
    ``=`` at the end when the last two operands are one register.
    """
    kinds = [_kind(raw, operand) for operand in raw.operands]
    mnemonic = raw.insn_name()
    if mnemonic == "sal":
        mnemonic = "shl"  # another encoding of it
    opcode = code[first]
    if opcode in (0xD0, 0xD1) and kinds:
        kinds[-1] = "1"
    elif kinds and ((opcode < 0x40 and opcode & 7 in (4, 5)) or opcode in (0xA8, 0xA9)):
        kinds[0] = "a" + kinds[0][1:]
    if mnemonic == "lea" and raw.operands[1].mem.base:
        place = raw.operands[1].mem
        base = raw.reg_name(place.base)
        if base in ("rip", "eip"):
            kinds[1] = "rip"
        elif place.index and (place.disp or base in _NEEDS_DISPLACEMENT):
            kinds[1] = "three"
    registers = [o.reg for o in raw.operands if o.type == x86.X86_OP_REG]
    is_same = 2 <= len(registers) == len(kinds) and registers[-1] == registers[-2]
    repeat = "rep " if is_repeated(code, first) else ""
    return f"{repeat}{mnemonic} {','.join(kinds)}{'=' if is_same else ''}".strip()


def _kind(raw: Any, operand: Any) -> str:
    if operand.type == x86.X86_OP_IMM:
        return "i"
    bits = operand.size * 8
    if operand.type == x86.X86_OP_MEM:
        return f"m{bits}"
    name = raw.reg_name(operand.reg)
    if name in HIGH_BYTES:
        return "h8"
    if name[:2] in ("xm", "ym", "zm") or name[0] == "k":
        return str(name[0])
    if name[:2] in ("mm", "st", "cr", "dr"):
        return str(name[:2])
    if name in ("cs", "ds", "es", "fs", "gs", "ss"):
        return "sr"
    reads_only = operand.access == capstone.CS_AC_READ
    if name == "cl" and reads_only and raw.insn_name() in _COUNTED:
        return "cl"
    return f"r{bits}"
