"""The shape of a block: where its instructions begin and what ends it.

A block goes from its first instruction to the first control transfer, trapping
instruction, port access or repeated string instruction, or to the last instruction
that begins in its page.  The shape is a function of the bytes alone.

Lengths come from capstone, everything else from the opcode bytes: the few instructions
that matter here are simpler to tell by byte than by mnemonic.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import capstone

from emu.traps import BREAKPOINT, DEBUG, GENERAL_PROTECTION, INVALID_OPCODE

LONGEST = 15  # bytes of one instruction


class End(Enum):
    """What ends a block."""

    PAGE = 0  # the next instruction begins in another page, or cannot be fetched
    TRANSFER = 1
    REPEAT = 2  # a string instruction with a repeat prefix
    SYSTEM_CALL = 3
    SPECIAL = 4  # the last instruction must not be translated together with others
    CALL = 5  # a transfer that leaves its return address in the stack


class Step(Enum):
    """How one instruction is executed alone."""

    TRAP_FLAG = 0
    # It pushes the flags: what the trap flag leaves in memory must be taken out.
    PUSH_FLAGS = 1
    # It ends a translation by itself, and changes or delays the trap flag.
    ALONE = 2


@dataclass(frozen=True, slots=True)
class Raise:
    """The exception that an instruction always raises."""

    vector: int
    error: int
    after: bool  # the saved ip is that of the next instruction


@dataclass(frozen=True, slots=True)
class Shape:
    """One block, with all places relative to its start."""

    offsets: tuple[int, ...]
    size: int
    end: End
    # For SPECIAL; None means an instruction that is unknown here and is tried alone.
    raises: Raise | None = None
    counter_mask: int = 0  # the bits of the count register that REPEAT looks at


class Lengths(Protocol):
    """Tells the lengths of the instructions in some bytes, up to the first unknown one."""

    def __call__(self, code: bytes) -> list[int]:
        """List the lengths."""


def lengths_for(*, is_amd64: bool) -> Lengths:
    """Make the function that measures instructions of one architecture."""
    mode = capstone.CS_MODE_64 if is_amd64 else capstone.CS_MODE_32
    engine = capstone.Cs(capstone.CS_ARCH_X86, mode)

    def lengths(code: bytes) -> list[int]:
        return [size for _, size, _, _ in engine.disasm_lite(code, 0)]

    return lengths


def decode(code: bytes, room: int, lengths: Lengths, *, is_amd64: bool) -> Shape | None:
    """Give the shape of the block that begins with `code`, or None if it has no instruction.

    `room` bytes belong to the first page; `code` goes beyond them as far as it can be
    fetched, by up to one instruction.  Bytes that stop short may hide the rest of an
    instruction, which then is not part of the block.
    """
    offsets: list[int] = []
    at = 0
    # Most blocks are short: measure a little, and the rest only when it is needed.
    reach = 64
    measured = iter(lengths(code[:reach]))
    while at < room:
        length = next(measured, 0)
        if not length:
            if at + LONGEST > reach and reach < len(code):
                reach = len(code)
                measured = iter(lengths(code[at:]))
                continue
            if len(code) - at < LONGEST:
                break
            offsets.append(at)
            return Shape(tuple(offsets), at + 1, End.SPECIAL, _refused(code[at:], is_amd64))
        offsets.append(at)
        at += length
        ending = _classify(code[offsets[-1] : at], is_amd64=is_amd64)
        if ending is not None:
            end, raises, mask = ending
            return Shape(tuple(offsets), at, end, raises, mask)
    return Shape(tuple(offsets), at, End.PAGE) if offsets else None


def step_of(instruction: bytes, *, is_amd64: bool) -> Step:
    """Tell how the instruction at the start of these bytes is executed alone."""
    opcode, rest, _ = _opcode(instruction, is_amd64=is_amd64)
    if opcode == 0x9C:
        return Step.PUSH_FLAGS
    if opcode in (0x9D, 0xCF, 0xFB) or (opcode == 0x17 and not is_amd64):
        return Step.ALONE
    loads_stack_segment = opcode == 0x8E and bool(rest) and (rest[0] >> 3) & 7 == 2
    if loads_stack_segment or (opcode == 0x0F and rest[:1] == b"\x05"):
        return Step.ALONE
    return Step.TRAP_FLAG


def jump_distance(instruction: bytes) -> int | None:
    """Give how far from its end a direct jump or call goes; None if the bytes do not tell."""
    opcode, rest, prefixes = _opcode(instruction, is_amd64=True)
    if opcode == 0x0F and rest and 0x80 <= rest[0] < 0x90:
        opcode, rest = 0xE9, rest[1:]
    if opcode in (0xE8, 0xE9) and 0x66 not in prefixes:
        return int.from_bytes(rest[:4], "little", signed=True)
    if opcode in _SHORT:
        return int.from_bytes(rest[:1], "little", signed=True)
    return None


def is_conditional(instruction: bytes) -> bool:
    """Tell whether this is a jump that may be taken or not."""
    opcode, rest, _ = _opcode(instruction, is_amd64=True)
    if opcode == 0x0F:
        return bool(rest) and 0x80 <= rest[0] < 0x90
    return opcode in _SHORT and opcode != 0xEB


_LEGACY = frozenset(b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3")
_STRING = frozenset(b"\xa4\xa5\xa6\xa7\xaa\xab\xac\xad\xae\xaf")
_SHORT = frozenset(bytes(range(0x70, 0x80)) + b"\xe0\xe1\xe2\xe3\xeb")
_PORT = frozenset(b"\x6c\x6d\x6e\x6f\xe4\xe5\xe6\xe7\xec\xed\xee\xef")
_TRANSFER = frozenset(
    bytes(range(0x70, 0x80)) + b"\xc2\xc3\xca\xcb\xcf\xe0\xe1\xe2\xe3\xe9\xeb\xf4"
)
_Ending = tuple[End, Raise | None, int]


def _opcode(instruction: bytes, *, is_amd64: bool) -> tuple[int, bytes, frozenset[int]]:
    prefixes: set[int] = set()
    for at, byte in enumerate(instruction):
        if byte in _LEGACY:
            prefixes.add(byte)
        elif not (is_amd64 and byte & 0xF0 == 0x40):
            return byte, instruction[at + 1 :], frozenset(prefixes)
    return -1, b"", frozenset(prefixes)


def _classify(instruction: bytes, *, is_amd64: bool) -> _Ending | None:
    opcode, rest, prefixes = _opcode(instruction, is_amd64=is_amd64)
    raises = _raises(opcode, rest, is_amd64=is_amd64)
    if raises is not None:
        return End.SPECIAL, raises, 0
    if _is_fragile(opcode, rest):
        return End.SPECIAL, None, 0
    if opcode in _STRING and prefixes & {0xF2, 0xF3}:
        width = (64, 32) if is_amd64 else (32, 16)
        return End.REPEAT, None, (1 << width[0x67 in prefixes]) - 1
    if opcode == 0x0F and rest:
        if rest[0] == 0x05:
            return End.SYSTEM_CALL, None, 0
        return (End.TRANSFER, None, 0) if rest[0] == 0x0B or 0x80 <= rest[0] < 0x90 else None
    if opcode == 0xCD:
        return End.SYSTEM_CALL, None, 0
    indirect = (rest[0] >> 3) & 7 if opcode == 0xFF and rest else 0
    if indirect in (2, 3) or opcode == 0xE8 or (opcode == 0x9A and not is_amd64):
        return End.CALL, None, 0
    if indirect in (4, 5) or opcode in _TRANSFER or (opcode == 0xEA and not is_amd64):
        return End.TRANSFER, None, 0
    return None


def _is_fragile(opcode: int, rest: bytes) -> bool:
    """Tell whether this instruction, or a fault in it, would lose the flags.

    Unicorn 2.1.4 computes the flags in place before the access of `setcc` and of rotations
    through carry, and does not undo that when the access faults in mid-translation.  What
    begins an execution is not affected, so these are executed alone.  And `cmpxchg8b` takes
    the flags for those of the instruction that computed them last before the block.
    """
    if opcode == 0x0F and len(rest) > 1:
        if rest[0] == 0xC7 and (rest[1] >> 3) & 7 == 1:
            return True
        carry_only = rest[0] & 0xFE == 0x92
        return rest[0] & 0xF0 == 0x90 and not carry_only and rest[1] < 0xC0
    rotates = opcode in (0xC0, 0xC1, 0xD0, 0xD1, 0xD2, 0xD3) and bool(rest)
    return rotates and (rest[0] >> 3) & 7 in (2, 3) and rest[0] < 0xC0


def _refused(unknown: bytes, is_amd64: bool) -> Raise | None:
    """Refuse what only its prefixes make unknown (a lock, say) and the emulator might do."""
    opcode, rest, _ = _opcode(unknown, is_amd64=is_amd64)
    if _raises(opcode, rest, is_amd64=is_amd64) is None:
        return None
    return Raise(INVALID_OPCODE, 0, after=False)


def _raises(opcode: int, rest: bytes, *, is_amd64: bool) -> Raise | None:
    if opcode in _PORT:
        return Raise(GENERAL_PROTECTION, 0, after=False)
    if opcode == 0xCC:
        return Raise(BREAKPOINT, 0, after=True)
    if opcode == 0xF1:
        return Raise(DEBUG, 0, after=True)
    if opcode == 0xCD and rest:
        if rest[0] == BREAKPOINT:
            return Raise(BREAKPOINT, 0, after=True)
        if rest[0] == 0x30 and not is_amd64:
            return None
        return Raise(GENERAL_PROTECTION, rest[0] * 8 + 2, after=False)
    if opcode == 0x0F and rest[:1] == b"\x34":  # sysenter, with a zero MSR behind it
        return Raise(GENERAL_PROTECTION, 0, after=False)
    if opcode == 0x0F and rest[:1] == b"\x05" and not is_amd64:
        return Raise(INVALID_OPCODE, 0, after=False)
    return None
