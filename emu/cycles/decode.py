"""From bytes to neutral instructions."""

from dataclasses import dataclass
from typing import Any

import capstone
from capstone import x86

from emu.cycles.effects import (
    accesses_of,
    flags_of,
    registers_of,
    result_of,
    whole_register,
)
from emu.cycles.forms import (
    HIGH_BYTES,
    changes_length,
    form_of,
    is_vector_encoded,
    last_opcode_offset,
    opcode_offset,
    words,
)
from emu.cycles.instruction import Access, Fusion, Instruction, Transfer

_MEMO_LIMIT = 1 << 15  # instructions, some 50 MB

# Their result does not depend on what the operands hold when both are one register: Intel,
# "Clearing Registers and Dependency Breaking Idioms".
_ZEROING = words(
    """
    xor sub pxor xorps xorpd psubb psubw psubd psubq pcmpgtb pcmpgtw pcmpgtd pcmpgtq
    vpxor vxorps vxorpd vpsubb vpsubw vpsubd vpsubq vpcmpgtb vpcmpgtw vpcmpgtd
    vpcmpgtq
    """
)
# The same, but the ones that they write are made by a port.
_ONES = words(
    """
    pcmpeqb pcmpeqw pcmpeqd pcmpeqq vpcmpeqb vpcmpeqw vpcmpeqd vpcmpeqq
    """
)
# Candidates for move elimination: Intel, "Zero-Latency MOV Instructions".
_MOVES = words(
    """
    mov movzx movaps movups movapd movupd movdqa movdqu vmovaps vmovups vmovapd
    vmovupd vmovdqa vmovdqu
    """
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
_PUSHES = words("push call pushf pushfd pushfq pushaw pushal")
_POPS = words("pop ret popf popfd popfq popaw popal")
_COUNTED_BRANCHES = words("jcxz jecxz jrcxz loop loope loopne")
_TRANSFERS = words("jmp ljmp call lcall ret retf retfq iret iretd iretq")


class Undecodable(ValueError):
    """Some bytes are no instruction; those before `offset` are."""

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
        lines = self._engine.disasm_lite(code, 0)
        return [f"{name} {operands}".strip() for _, _, name, operands in lines]

    def _decode_one(self, own: bytes) -> Instruction:
        self._engine.detail = True
        try:
            (raw,) = self._engine.disasm(own, 0)
            return _neutral(raw, own, is_amd64=self.is_amd64)
        finally:
            self._engine.detail = False  # lengths come faster without


def decoder_for(*, is_amd64: bool) -> Decoder:
    """Make a decoder for one architecture."""
    mode = capstone.CS_MODE_64 if is_amd64 else capstone.CS_MODE_32
    return Decoder(is_amd64, capstone.Cs(capstone.CS_ARCH_X86, mode), {})


def _neutral(raw: Any, code: bytes, *, is_amd64: bool) -> Instruction:
    mnemonic = raw.insn_name()
    operands = raw.operands
    first = opcode_offset(code, is_amd64=is_amd64)
    is_vector = is_vector_encoded(code, first, is_amd64=is_amd64)
    word = 8 if is_amd64 else 4
    width = operands[0].size if operands else 0
    memory = accesses_of(raw, mnemonic)
    reads, writes, advances = registers_of(raw, mnemonic, memory)
    flags_read, flags_written = flags_of(raw, mnemonic, is_vector=is_vector)
    reads += flags_read
    writes += flags_written
    has_same = _has_same_registers(operands)
    is_zeroing = mnemonic in _ZEROING and has_same and width >= 4
    if is_zeroing or (mnemonic in _ONES and has_same):
        reads = []
    stack = _stack_change(mnemonic, width, word)
    if stack:
        # The stack engine adds to rsp; what remains is an operand named rsp.
        named = [
            whole_register(raw.reg_name(o.reg)) for o in operands if o.type == x86.X86_OP_REG
        ]
        reads = [r for r in reads if r != "rsp" or (mnemonic == "push" and r in named)]
        writes = [r for r in writes if r != "rsp" or (mnemonic == "pop" and r in named)]
        memory += (_stack_access(stack),)
    elif mnemonic == "leave":
        reads, writes = ["rbp"], ["rbp", "rsp"]
        memory = (Access("rbp", "", 1, 0, "", word, loads=True, stores=False),)
    has_immediate = any(o.type == x86.X86_OP_IMM for o in operands)
    result, addend = result_of(raw, mnemonic, word=word)
    transfer = _transfer_of(mnemonic)
    return Instruction(
        code=code,
        opcode_at=last_opcode_offset(code, first, is_vector=is_vector),
        changes_length=changes_length(code, first, is_vector=is_vector),
        form=form_of(raw, code, first),
        mnemonic=mnemonic,
        reads=tuple(dict.fromkeys(reads)),
        writes=tuple(dict.fromkeys(writes)),
        advances=tuple(advances),
        memory=memory,
        stack=stack,
        width=width,
        is_moving=mnemonic in _MOVES and _is_plain_move(raw, mnemonic),
        is_zeroing=is_zeroing,
        is_locked=0xF0 in code[:first] or (mnemonic == "xchg" and bool(memory)),
        result=result,
        addend=addend,
        transfer=transfer,
        condition=mnemonic[1:] if transfer is Transfer.CONDITIONAL else "",
        fusion=_fusion_of(mnemonic, memory, has_immediate=has_immediate),
    )


def _has_same_registers(operands: Any) -> bool:
    return (
        len(operands) >= 2
        and all(o.type == x86.X86_OP_REG for o in operands)
        and operands[-1].reg == operands[-2].reg
    )


def _fusion_of(mnemonic: str, memory: tuple[Access, ...], *, has_immediate: bool) -> Fusion:
    # Not with a result in memory, nor with memory and an immediate at once.
    if memory and (has_immediate or memory[0].stores):
        return Fusion.NONE
    return _FUSIONS.get(mnemonic, Fusion.NONE)


def _is_plain_move(raw: Any, mnemonic: str) -> bool:
    operands = raw.operands
    if len(operands) != 2 or any(o.type != x86.X86_OP_REG for o in operands):
        return False
    target, source = (raw.reg_name(o.reg) for o in operands)
    if whole_register(target) == whole_register(source):
        return False  # onto itself: it is executed
    if mnemonic == "movzx":
        return (
            bool(operands[1].size == 1 and operands[0].size >= 4) and source not in HIGH_BYTES
        )
    return bool(operands[0].size == operands[1].size >= 4)


def _stack_change(mnemonic: str, width: int, word: int) -> int:
    words = 8 if mnemonic in ("pushaw", "pushal", "popaw", "popal") else 1
    if (width == 2 and mnemonic in ("push", "pop")) or mnemonic in (
        "pushf",
        "popf",
        "pushaw",
        "popaw",
    ):
        word = 2
    if mnemonic in _PUSHES:
        return -word * words
    return word * words if mnemonic in _POPS else 0


def _stack_access(stack: int) -> Access:
    if stack < 0:
        return Access("rsp", "", 1, stack, "", -stack, loads=False, stores=True)
    return Access("rsp", "", 1, 0, "", stack, loads=True, stores=False)


def _transfer_of(mnemonic: str) -> Transfer:
    if mnemonic in _TRANSFERS:
        return Transfer.OTHER
    if mnemonic[0] == "j" or mnemonic in _COUNTED_BRANCHES:
        return Transfer.CONDITIONAL
    return Transfer.NONE
