"""From bytes to neutral instructions.  Capstone does the work; its slips are mended here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import capstone
from capstone import x86

from emu.cycles.instruction import Access, Fusion, Instruction, Result, Transfer

LONGEST = 15  # bytes of one instruction

_MEMO_LIMIT = 1 << 16  # instructions; about 100 MB


class Undecodable(ValueError):
    """Some bytes are no instruction."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"no instruction at byte {offset}")
        self.offset = offset


@dataclass(slots=True)
class Decoder:
    """Decodes for one architecture; remembers each instruction that it has seen."""

    is_amd64: bool
    _engine: Any
    _memo: dict[bytes, Instruction]

    def __call__(self, code: bytes) -> list[Instruction]:
        """Decode all of `code`, or raise Undecodable."""
        found: list[Instruction] = []
        memo = self._memo
        at = 0
        for _, size, _, _ in self._engine.disasm_lite(code, 0):
            own = code[at : at + size]
            instruction = memo.get(own)
            if instruction is None:
                if len(memo) >= _MEMO_LIMIT:
                    memo.clear()
                instruction = memo[own] = self._decode_one(own)
            found.append(instruction)
            at += size
        if at != len(code):
            raise Undecodable(at)
        return found

    def text(self, code: bytes) -> list[str]:
        """Give each instruction as an assembler would write it."""
        return [f"{name} {rest}".strip() for _, _, name, rest in self._engine.disasm_lite(code, 0)]

    def _decode_one(self, own: bytes) -> Instruction:
        self._engine.detail = True
        try:
            (raw,) = self._engine.disasm(own, 0)
            return _neutral(raw, own, is_amd64=self.is_amd64)
        finally:
            self._engine.detail = False


def decoder_for(*, is_amd64: bool) -> Decoder:
    """Make a decoder for one architecture."""
    mode = capstone.CS_MODE_64 if is_amd64 else capstone.CS_MODE_32
    return Decoder(is_amd64, capstone.Cs(capstone.CS_ARCH_X86, mode), {})


_PREFIXES = frozenset(b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3")

# Opcodes of the one-byte map whose immediate is 16 bits with an operand-size prefix, 32
# without: the predecoder takes three cycles more over these (Intel, Optimization Reference
# Manual, 3.4.2.3).  0xF7 has one only where it is `test`.
_WORD_IMMEDIATES = frozenset(b"\x05\x0d\x15\x1d\x25\x2d\x35\x3d\x68\x69\x81\xa9\xc7") | frozenset(
    range(0xB8, 0xC0)
)

# Results that do not depend on what the operands hold when both are one register (Intel,
# Optimization Reference Manual, 3.5.1.7, "Clearing Registers and Dependency Breaking
# Idioms").
_ZEROING = frozenset(
    """xor sub pxor xorps xorpd psubb psubw psubd psubq pcmpgtb pcmpgtw pcmpgtd pcmpgtq
    vpxor vxorps vxorpd vpsubb vpsubw vpsubd vpsubq vpcmpgtb vpcmpgtw vpcmpgtd vpcmpgtq""".split()
)
_ONES = frozenset(
    "pcmpeqb pcmpeqw pcmpeqd vpcmpeqb vpcmpeqw vpcmpeqd vpcmpeqq pcmpeqq".split()
)
_MOVES = frozenset(
    """mov movzx movsxd movaps movups movapd movupd movdqa movdqu
    vmovaps vmovups vmovapd vmovupd vmovdqa vmovdqu""".split()
)
# They write part of an xmm register, or the compiler's false dependency: the old content
# is an input (Intel, Optimization Reference Manual, 3.5.1.8 and erratum HSD146 for bit counts).
_MERGES = frozenset(
    """cvtsi2sd cvtsi2ss cvtss2sd cvtsd2ss sqrtss sqrtsd rcpss rsqrtss roundsd roundss
    movlps movhps movlpd movhpd bsf bsr""".split()
)
_FALSE_INPUTS = frozenset("popcnt lzcnt tzcnt".split())

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

_FUSIONS = {
    "test": Fusion.ALL,
    "and": Fusion.ALL,
    "cmp": Fusion.CARRY,
    "add": Fusion.CARRY,
    "sub": Fusion.CARRY,
    "inc": Fusion.ZERO,
    "dec": Fusion.ZERO,
}


def _whole_register(name: str) -> str:
    """Name the register that `name` is a part of; "" for the instruction pointer."""
    if name[:2] in ("xm", "ym", "zm"):
        return "v" + name[3:]
    if name in _PARTS:
        return _PARTS[name]
    if name[0] == "r" and name[1:2].isdigit():
        return name.rstrip("bwd")
    return name


# "" for what is no register to wait for; flags are told by `_flags`.
_PARTS: dict[str, str] = dict.fromkeys(
    ("rip", "eip", "ip", "rflags", "eflags", "flags", "riz", "eiz"), ""
)
for _letter in "abcd":
    for _pattern in ("{}l", "{}h", "{}x", "e{}x", "r{}x"):
        _PARTS[_pattern.format(_letter)] = f"r{_letter}x"
for _pair in ("si", "di", "bp", "sp"):
    for _pattern in ("{}l", "{}", "e{}", "r{}"):
        _PARTS[_pattern.format(_pair)] = f"r{_pair}"

_WHOLE: dict[int, str] = {}


def _neutral(raw: Any, own: bytes, *, is_amd64: bool) -> Instruction:
    mnemonic = raw.insn_name()
    name_of: Callable[[int], str] = raw.reg_name
    operands = raw.operands
    opcode_at = opcode_offset(own, is_amd64=is_amd64)
    prefixes = own[:opcode_at]
    opcode = own[opcode_at]
    is_vector_code = _is_vex(own, opcode_at, is_amd64=is_amd64)

    def whole(register: int) -> str:
        found = _WHOLE.get(register)
        if found is None:
            found = _WHOLE[register] = _whole_register(name_of(register))
        return found

    registers = [o for o in operands if o.type == x86.X86_OP_REG]
    stack = _stack_change(mnemonic, opcode, is_amd64=is_amd64)
    memory = _accesses(raw, mnemonic, operands, whole)
    is_zeroing = (
        mnemonic in _ZEROING
        and len(registers) == len(operands)
        and operands[-1].reg == operands[-2].reg
        and operands[0].size >= 4
    )

    explicit = [whole(o.reg) for o in registers if o.access & capstone.CS_AC_READ]
    addressing = {r for a in memory for r in (a.base, a.index) if r}
    all_read, all_written = raw.regs_access()
    reads: list[str] = []
    for register in all_read:
        name = whole(register)
        # What appears only inside the brackets is an address, not data.
        if name and (name not in addressing or name in explicit):
            reads.append(name)
    writes = [name for name in map(whole, all_written) if name]
    _mend(mnemonic, operands, whole, reads, writes)
    if mnemonic == "lea":
        reads = list(
            dict.fromkeys(
                whole(r) for o in operands for r in _address_registers(o) if whole(r)
            )
        )
    flags = _flags(raw, mnemonic, is_vector_code, is_mmx_or_sse=_is_sse(operands, name_of))
    reads += flags[0]
    writes += flags[1]
    if is_zeroing or _breaks_dependency(mnemonic, operands):
        reads = []
    else:
        for operand in registers:
            merges = operand.size < 4 and operand.access & capstone.CS_AC_WRITE
            if merges and mnemonic not in ("movzx",):
                reads.append(whole(operand.reg))
        if mnemonic in _MERGES and registers and operands[0].type == x86.X86_OP_REG:
            reads.append(whole(operands[0].reg))
    if stack:
        reads = [r for r in reads if r != "rsp"] if mnemonic not in ("leave",) else reads
        writes = [r for r in writes if r != "rsp"]
        memory = (*memory, *_stack_access(mnemonic, stack, is_amd64=is_amd64))

    transfer, condition = _transfer(mnemonic)
    result, addend = _result(mnemonic, operands, memory, name_of, word=8 if is_amd64 else 4)
    names_stack = any(whole(o.reg) == "rsp" for o in registers) or any(
        "rsp" in (a.base, a.index) for a in memory[: len(memory) - bool(stack)]
    )
    if mnemonic == "lea":
        names_stack = names_stack or "rsp" in reads
    two_registers = len(operands) == 2 and len(registers) == 2
    has_immediate = any(o.type == x86.X86_OP_IMM for o in operands)
    fusion = _FUSIONS.get(mnemonic, Fusion.NONE)
    # No fusion with both an immediate and memory, or with a result in memory.
    if memory and (has_immediate or any(a.stores for a in memory)):
        fusion = Fusion.NONE
    return Instruction(
        size=len(own),
        opcode_at=_last_opcode_byte(own, opcode_at, is_vector_code),
        changes_length=_changes_length(own, opcode_at, opcode, is_vector_code),
        form=form_of(raw, own, opcode_at),
        mnemonic=mnemonic,
        reads=tuple(dict.fromkeys(reads)),
        writes=tuple(dict.fromkeys(writes)),
        memory=memory,
        stack=stack,
        width=operands[0].size if operands else 0,
        is_moving=mnemonic in _MOVES
        and two_registers
        and operands[0].size >= 4
        and _moves_whole(mnemonic, operands, name_of),
        is_zeroing=is_zeroing,
        names_stack=names_stack,
        has_immediate=has_immediate,
        is_locked=0xF0 in prefixes or (mnemonic == "xchg" and bool(memory)),
        repeats=bool({0xF2, 0xF3} & set(prefixes)) and opcode in _STRING,
        result=result,
        addend=addend,
        transfer=transfer,
        condition=condition,
        fusion=fusion,
    )


_STRING = frozenset(b"\x6c\x6d\x6e\x6f\xa4\xa5\xa6\xa7\xaa\xab\xac\xad\xae\xaf")


def form_of(raw: Any, own: bytes, opcode_at: int) -> str:
    """Name the instruction form: what the tables tell apart."""
    kinds = [_kind(raw, operand) for operand in raw.operands]
    opcode = own[opcode_at]
    mnemonic = raw.insn_name()
    if opcode in (0xD0, 0xD1):
        kinds[-1] = "1"
    elif (opcode < 0x40 and opcode & 7 in (4, 5)) or opcode in (0xA8, 0xA9):
        kinds[0] = "a" + kinds[0][1:]  # the short form with the accumulator
    if mnemonic == "lea" and raw.operands[1].mem.base:
        place = raw.operands[1].mem
        if raw.reg_name(place.base) in ("rip", "eip"):
            kinds[1] = "rip"
        elif place.index and (place.disp or raw.reg_name(place.base) in _NEEDS_DISPLACEMENT):
            kinds[1] = "three"
    registers = [o.reg for o in raw.operands if o.type == x86.X86_OP_REG]
    same = (
        "="
        if len(registers) >= 2
        and len(registers) == len(raw.operands)
        and registers[-1] == registers[-2]
        else ""
    )
    repeat = "rep " if opcode in _STRING and {0xF2, 0xF3} & set(own[:opcode_at]) else ""
    return f"{repeat}{mnemonic} {','.join(kinds)}{same}".strip()


# With an index these bases are encoded with a displacement, if only of zero.
_NEEDS_DISPLACEMENT = ("rbp", "ebp", "r13", "r13d")


def _kind(raw: Any, operand: Any) -> str:
    if operand.type == x86.X86_OP_IMM:
        return "i"
    bits = operand.size * 8
    if operand.type == x86.X86_OP_MEM:
        return f"m{bits}"
    name = raw.reg_name(operand.reg)
    if name in ("ah", "bh", "ch", "dh"):
        return "h8"
    if name[:2] in ("xm", "ym", "zm"):
        return name[0]
    if name[:2] in ("mm", "st", "cr", "dr"):
        return name[:2]
    if name in ("cs", "ds", "es", "fs", "gs", "ss"):
        return "sr"
    if name[0] == "k":
        return "k"
    if name == "cl" and operand.access == capstone.CS_AC_READ and _counts(raw):
        return "cl"
    return f"r{bits}"


def _counts(raw: Any) -> bool:
    return raw.insn_name() in _SHIFTS


_SHIFTS = frozenset("shl shr sar rol ror rcl rcr shld shrd sal".split())


def opcode_offset(own: bytes, *, is_amd64: bool) -> int:
    at = 0
    while at < len(own) - 1 and own[at] in _PREFIXES:
        at += 1
    if is_amd64 and at < len(own) - 1 and own[at] & 0xF0 == 0x40:
        at += 1
    return at


def _last_opcode_byte(own: bytes, opcode_at: int, is_vector_code: bool) -> int:
    opcode = own[opcode_at]
    if is_vector_code:
        return opcode_at + {0xC5: 2, 0xC4: 3, 0x62: 4}[opcode]
    if opcode != 0x0F:
        return opcode_at
    return opcode_at + (2 if own[opcode_at + 1] in (0x38, 0x3A) else 1)


def _is_vex(own: bytes, opcode_at: int, *, is_amd64: bool) -> bool:
    opcode = own[opcode_at]
    if opcode not in (0xC4, 0xC5, 0x62) or opcode_at + 1 >= len(own):
        return False
    return is_amd64 or own[opcode_at + 1] >= 0xC0


def _is_sse(operands: Any, name_of: Callable[[int], str]) -> bool:
    return any(
        o.type == x86.X86_OP_REG and name_of(o.reg)[:2] in ("xm", "ym", "zm", "mm")
        for o in operands
    )


def _changes_length(own: bytes, opcode_at: int, opcode: int, is_vector_code: bool) -> bool:
    if 0x66 not in own[:opcode_at] or is_vector_code:
        return False
    if opcode == 0xF7:
        return (own[opcode_at + 1] >> 3) & 7 < 2
    # With REX.W the prefix changes nothing.
    is_wide = opcode_at > 0 and own[opcode_at - 1] & 0xF8 == 0x48
    return opcode in _WORD_IMMEDIATES and not is_wide


def _address_registers(operand: Any) -> tuple[int, ...]:
    if operand.type != x86.X86_OP_MEM:
        return ()
    return tuple(r for r in (operand.mem.base, operand.mem.index) if r)


def _accesses(
    raw: Any, mnemonic: str, operands: Any, whole: Callable[[int], str]
) -> tuple[Access, ...]:
    if mnemonic in ("lea", "nop", "endbr64", "endbr32") or mnemonic.startswith("prefetch"):
        return ()
    found = []
    for operand in operands:
        if operand.type != x86.X86_OP_MEM:
            continue
        place = operand.mem
        base = "rip" if place.base and not whole(place.base) else ""
        loads = bool(operand.access & capstone.CS_AC_READ)
        stores = bool(operand.access & capstone.CS_AC_WRITE)
        if mnemonic.startswith("cmpxchg"):
            stores = True
        if mnemonic in ("shld", "shrd", "bts", "btr", "btc", "xadd", "not", "neg", "inc", "dec"):
            loads = stores = True
        segment = raw.reg_name(place.segment) if place.segment else ""
        found.append(
            Access(
                base=base or (whole(place.base) if place.base else ""),
                index=whole(place.index) if place.index else "",
                scale=place.scale if place.index else 1,
                displacement=place.disp,
                segment=segment if segment in ("fs", "gs") else "",
                size=operand.size,
                loads=loads,
                stores=stores,
            )
        )
    return tuple(found)


def _mend(
    mnemonic: str,
    operands: Any,
    whole: Callable[[int], str],
    reads: list[str],
    writes: list[str],
) -> None:
    # Capstone 5 does not know what these write.
    if mnemonic == "cmpxchg":
        writes += ["rax"]
        if operands[0].type == x86.X86_OP_REG:
            writes.append(whole(operands[0].reg))
            reads.append(whole(operands[0].reg))
    elif mnemonic.startswith("cmov"):
        reads.append(whole(operands[0].reg))
    elif mnemonic == "xadd":
        for operand in operands:
            if operand.type == x86.X86_OP_REG:
                reads.append(whole(operand.reg))
                writes.append(whole(operand.reg))


def _flags(
    raw: Any, mnemonic: str, is_vector_code: bool, *, is_mmx_or_sse: bool
) -> tuple[list[str], list[str]]:
    reads: list[str] = []
    writes: list[str] = []
    if is_mmx_or_sse or is_vector_code:
        # The flag bits that capstone gives of these are those of other instructions.
        if mnemonic.removeprefix("v") in _COMPARES:
            writes += ["cf", "flags"]
        if mnemonic in _VEX_INTEGER:
            writes += ["cf", "flags"]
        return reads, writes
    if mnemonic[0] == "f" and mnemonic not in ("fcomi", "fucomi", "fcomip", "fucomip"):
        if mnemonic.startswith("fcmov"):
            reads += ["cf", "flags"]
        return reads, writes
    bits = raw.eflags
    if bits & x86.X86_EFLAGS_TEST_CF or mnemonic in ("adc", "sbb", "rcl", "rcr", "cmc"):
        reads.append("cf")
    if bits & _TEST_OTHERS:
        reads.append("flags")
    if mnemonic in _STRINGS_WITHOUT_FLAGS:
        return reads, writes
    if bits & _CARRY and mnemonic not in ("inc", "dec"):
        writes.append("cf")
    if bits & _OTHERS and mnemonic != "bt":
        writes.append("flags")
    if mnemonic == "cmpxchg":
        writes += ["cf", "flags"]
    if mnemonic.startswith("popf"):
        writes += ["cf", "flags"]
    if mnemonic.startswith("pushf") or mnemonic == "lahf":
        reads += ["cf", "flags"]
    return reads, writes


_COMPARES = frozenset(
    "comiss comisd ucomiss ucomisd ptest testps testpd pcmpestri pcmpistri".split()
)
_VEX_INTEGER = frozenset("andn bextr blsi blsmsk blsr bzhi".split())
_STRINGS_WITHOUT_FLAGS = frozenset(
    "movsb movsw movsd movsq stosb stosw stosd stosq lodsb lodsw lodsd lodsq".split()
)


def _breaks_dependency(mnemonic: str, operands: Any) -> bool:
    if len(operands) < 2 or any(o.type != x86.X86_OP_REG for o in operands):
        return False
    return mnemonic in _ONES and operands[-1].reg == operands[-2].reg


def _moves_whole(mnemonic: str, operands: Any, name_of: Callable[[int], str]) -> bool:
    if mnemonic == "movzx":
        return bool(operands[1].size == 1) and name_of(operands[1].reg) not in (
            "ah",
            "bh",
            "ch",
            "dh",
        )
    if mnemonic == "movsxd":
        return False
    if operands[0].reg == operands[1].reg:
        return False  # it clears the upper half, and is executed
    general = operands[0].size <= 8
    return bool(operands[0].size == operands[1].size) and (not general or operands[1].size >= 4)


def _stack_change(mnemonic: str, opcode: int, *, is_amd64: bool) -> int:
    word = 8 if is_amd64 else 4
    if mnemonic in ("push", "call", "pushf", "pushfq", "pushfd"):
        return -word
    if mnemonic in ("pop", "ret", "leave", "popf", "popfq", "popfd"):
        return word
    return 0


def _stack_access(mnemonic: str, stack: int, *, is_amd64: bool) -> tuple[Access, ...]:
    word = 8 if is_amd64 else 4
    if mnemonic == "leave":
        return (Access("rbp", "", 1, 0, "", word, loads=True, stores=False),)
    if stack < 0:
        return (Access("rsp", "", 1, -word, "", word, loads=False, stores=True),)
    return (Access("rsp", "", 1, 0, "", word, loads=True, stores=False),)


def _result(
    mnemonic: str,
    operands: Any,
    memory: tuple[Access, ...],
    name_of: Callable[[int], str],
    *,
    word: int,
) -> tuple[Result, int]:
    if mnemonic in _UNFORESEEN:
        return Result.UNKNOWN, 0
    if not operands or operands[0].size != word:
        return Result.FUNCTION, 0
    last = operands[-1]
    if mnemonic in ("mov", "push", "pop") and last.type != x86.X86_OP_IMM:
        return Result.COPY, 0
    if operands[0].type != x86.X86_OP_REG:
        return Result.FUNCTION, 0
    if mnemonic in ("add", "sub") and last.type == x86.X86_OP_IMM:
        return Result.SUM, last.imm if mnemonic == "add" else -last.imm
    if mnemonic in ("inc", "dec"):
        return Result.SUM, 1 if mnemonic == "inc" else -1
    if mnemonic == "lea" and last.mem.base and not last.mem.index:
        if name_of(last.mem.base) not in ("rip", "eip"):
            return Result.SUM, last.mem.disp
    return Result.FUNCTION, 0


_UNFORESEEN = frozenset("rdtsc rdtscp rdrand rdseed cpuid rdpmc xgetbv in insb insw insd".split())


def _transfer(mnemonic: str) -> tuple[Transfer, str]:
    if mnemonic == "jmp":
        return Transfer.JUMP, ""
    if mnemonic in ("jcxz", "jecxz", "jrcxz", "loop", "loope", "loopne"):
        return Transfer.CONDITIONAL, ""
    if mnemonic[0] == "j":
        return Transfer.CONDITIONAL, mnemonic[1:]
    if mnemonic in ("call", "lcall"):
        return Transfer.CALL, ""
    if mnemonic in ("ret", "retf", "retfq", "iret", "iretd", "iretq"):
        return Transfer.RETURN, ""
    return Transfer.NONE, ""
