"""What an instruction reads and writes.  Capstone tells it; its slips are mended here."""

from typing import Any

import capstone
from capstone import x86

from emu.cycles.forms import words
from emu.cycles.instruction import Access, Result

_READ, _WRITE = capstone.CS_AC_READ, capstone.CS_AC_WRITE

# "" for what is no register to wait for; flags are told by `flags_of`.
_PARTS: dict[str, str] = dict.fromkeys(
    ("rip", "eip", "ip", "rflags", "eflags", "flags", "riz", "eiz"), ""
)
_PARTS |= {
    pattern.format(letter): f"r{letter}x"
    for letter in "abcd"
    for pattern in ("{}l", "{}h", "{}x", "e{}x", "r{}x")
}
_PARTS |= {
    pattern.format(pair): f"r{pair}"
    for pair in ("si", "di", "bp", "sp")
    for pattern in ("{}l", "{}", "e{}", "r{}")
}

# They keep a part of their xmm register (Intel, "Partial XMM Registers"), and bsf and bsr
# keep all of theirs if the source is 0.
_MERGES = words(
    """
    cvtsi2sd cvtsi2ss cvtss2sd cvtsd2ss sqrtss sqrtsd rcpss rsqrtss roundsd roundss
    movlps movhps movlpd movhpd bsf bsr
    """
)
_ADVANCING = frozenset(
    f"{name}{width}" for name in ("movs", "stos", "lods", "scas", "cmps") for width in "bwdq"
)
_UNFORESEEN = words(
    """
    rdtsc rdtscp rdrand rdseed cpuid rdpmc xgetbv in insb insw insd
    """
)
_NO_ACCESS = words(
    """
    lea nop endbr64 endbr32 prefetch prefetchnta prefetcht0 prefetcht1 prefetcht2
    prefetchw clflush clflushopt clwb invlpg
    """
)
_READ_AND_WRITE = words("shld shrd bts btr btc xadd not neg inc dec")
_COMPARES = words(
    """
    comiss comisd ucomiss ucomisd ptest testps testpd pcmpestri pcmpistri
    """
)
_VEX_INTEGER = words("andn bextr blsi blsmsk blsr bzhi")
_X87_COMPARES = words("fcomi fucomi fcomip fucomip fcompi fucompi")
_CARRY_READERS = words("adc sbb rcl rcr cmc")

_CARRY = (
    x86.X86_EFLAGS_MODIFY_CF
    | x86.X86_EFLAGS_RESET_CF
    | x86.X86_EFLAGS_SET_CF
    | x86.X86_EFLAGS_UNDEFINED_CF
)
_OTHERS = (
    x86.X86_EFLAGS_MODIFY_ZF
    | x86.X86_EFLAGS_MODIFY_SF
    | x86.X86_EFLAGS_MODIFY_OF
    | x86.X86_EFLAGS_MODIFY_PF
    | x86.X86_EFLAGS_RESET_OF
    | x86.X86_EFLAGS_RESET_ZF
    | x86.X86_EFLAGS_RESET_SF
)
_TEST_OTHERS = (
    x86.X86_EFLAGS_TEST_ZF
    | x86.X86_EFLAGS_TEST_SF
    | x86.X86_EFLAGS_TEST_OF
    | x86.X86_EFLAGS_TEST_PF
)


def whole_register(name: str) -> str:
    """Name the register that `name` is a part of; "" for none that is waited for."""
    if name[:2] in ("xm", "ym", "zm"):
        return "v" + name[3:]
    if name in _PARTS:
        return _PARTS[name]
    if name[0] == "r" and name[1:2].isdigit():
        return name.rstrip("bwd")
    return name


def accesses_of(raw: Any, mnemonic: str) -> tuple[Access, ...]:
    """List the operands in memory that are accessed, but not what a push or pop does."""
    if mnemonic in _NO_ACCESS:
        return ()
    found = []
    for operand in raw.operands:
        if operand.type != x86.X86_OP_MEM:
            continue
        place = operand.mem
        base = raw.reg_name(place.base) if place.base else ""
        index = whole_register(raw.reg_name(place.index)) if place.index else ""
        segment = raw.reg_name(place.segment) if place.segment else ""
        both = mnemonic in _READ_AND_WRITE
        found.append(
            Access(
                base="rip" if base in ("rip", "eip") else base and whole_register(base),
                index=index,
                scale=place.scale if index else 1,
                displacement=place.disp,
                segment=segment if segment in ("fs", "gs") else "",
                size=operand.size,
                loads=both or bool(operand.access & _READ),
                stores=both or bool(operand.access & _WRITE) or mnemonic.startswith("cmpxchg"),
            )
        )
    return tuple(found)


def registers_of(
    raw: Any, mnemonic: str, memory: tuple[Access, ...]
) -> tuple[list[str], list[str], list[str]]:
    """List the registers that are read as data, written, and moved on as addresses."""
    operands = raw.operands
    read, written = raw.regs_access()
    writes = [name for name in map(whole_register, map(raw.reg_name, written)) if name]
    explicit = {_name(raw, o.reg) for o in operands if _is_register(o) and o.access & _READ}
    addresses = {r for a in memory for r in (a.base, a.index) if r}
    # What stands only inside the brackets is an address, not data.
    reads = [
        name
        for name in map(whole_register, map(raw.reg_name, read))
        if name and (name in explicit or name not in addresses)
    ]
    if mnemonic == "cmpxchg":
        reads.append("rax")
        writes.append("rax")
    if mnemonic in ("cmpxchg", "xadd"):
        registers = [_name(raw, o.reg) for o in operands if _is_register(o)]
        reads += registers
        writes += registers if mnemonic == "xadd" else registers[:-1]
    if mnemonic.startswith("cmov"):
        reads.append(_name(raw, operands[0].reg))
    for operand in operands:
        # A part of a register: the rest is kept.
        if _is_register(operand) and operand.size < 4 and operand.access & _WRITE:
            reads.append(_name(raw, operand.reg))
    if mnemonic in _MERGES and _is_register(operands[0]):
        reads.append(_name(raw, operands[0].reg))
    advances: list[str] = []
    if mnemonic in _ADVANCING and addresses & {"rsi", "rdi"}:
        # Capstone lets some of them count in rcx without a repeat prefix, too.
        moved = ("rsi", "rdi", "rcx") if raw.prefix[0] else ("rsi", "rdi")
        advances = [name for name in writes if name in moved]
        writes = [name for name in writes if name not in ("rsi", "rdi", "rcx")]
        reads = [name for name in reads if name not in ("rsi", "rdi", "rcx")]
    return reads, writes, advances


def flags_of(raw: Any, mnemonic: str, *, is_vector: bool) -> tuple[list[str], list[str]]:
    """List the flags that are read and written: ``cf`` and ``flags``."""
    reads: list[str] = []
    writes: list[str] = []
    both = ["cf", "flags"]
    if is_vector or any(_is_vector_register(raw, o) for o in raw.operands):
        # Capstone gives flag bits here that belong to other instructions.
        if mnemonic.removeprefix("v") in _COMPARES or mnemonic in _VEX_INTEGER:
            writes = both
        return reads, writes
    if mnemonic[0] == "f":
        return (both if mnemonic.startswith("fcmov") else []), (
            both if mnemonic in _X87_COMPARES else []
        )
    if mnemonic in _ADVANCING and mnemonic[:4] in ("movs", "stos", "lods"):
        return reads, writes
    if mnemonic.startswith("pushf") or mnemonic == "lahf":
        return both, writes
    if mnemonic.startswith(("popf", "cmpxchg")):
        return reads, both
    bits = raw.eflags
    if bits & x86.X86_EFLAGS_TEST_CF or mnemonic in _CARRY_READERS:
        reads.append("cf")
    if bits & _TEST_OTHERS:
        reads.append("flags")
    if bits & _CARRY and mnemonic not in ("inc", "dec"):
        writes.append("cf")
    if bits & _OTHERS and mnemonic != "bt":
        writes.append("flags")
    return reads, writes


def result_of(raw: Any, mnemonic: str, *, word: int) -> tuple[Result, int]:
    """Tell what is known of the value that is written, and what is added."""
    operands = raw.operands
    if mnemonic in _UNFORESEEN:
        return Result.UNKNOWN, 0
    if not operands or operands[0].size != word:
        return Result.FUNCTION, 0
    last = operands[-1]
    is_immediate = last.type == x86.X86_OP_IMM
    if mnemonic in ("mov", "push", "pop") and not is_immediate:
        return Result.COPY, 0
    if not _is_register(operands[0]):
        return Result.FUNCTION, 0
    if mnemonic in ("add", "sub") and is_immediate:
        return Result.SUM, last.imm if mnemonic == "add" else -last.imm
    if mnemonic in ("inc", "dec"):
        return Result.SUM, 1 if mnemonic == "inc" else -1
    is_sum = mnemonic == "lea" and last.mem.base and not last.mem.index
    if is_sum and _name(raw, last.mem.base):
        return Result.SUM, last.mem.disp
    return Result.FUNCTION, 0


def _name(raw: Any, register: int) -> str:
    return whole_register(raw.reg_name(register))


def _is_register(operand: Any) -> bool:
    return bool(operand.type == x86.X86_OP_REG)


def _is_vector_register(raw: Any, operand: Any) -> bool:
    return _is_register(operand) and raw.reg_name(operand.reg)[:2] in ("xm", "ym", "zm", "mm")
