"""One machine instruction as the cost model sees it: neutral, and a function of its bytes.

Registers are names of whole registers (``rax`` stands for ``al`` too, ``v0`` for ``xmm0``);
``cf`` is the carry flag and ``flags`` are the other arithmetic flags, which Intel's cores
rename apart (Agner Fog, The microarchitecture, 8.7 and 10.8 "Partial flags access").
"""

from dataclasses import dataclass
from enum import Enum


class Transfer(Enum):
    """How an instruction leaves the straight line."""

    NONE = 0
    CONDITIONAL = 1
    OTHER = 2


class Fusion(Enum):
    """Which conditions an instruction can be fused with when a branch follows it.

    Intel, "Macro-Fusion" and the table "Macro-Fusible Instructions".
    """

    NONE = 0
    ALL = 1  # test, and
    CARRY = 2  # cmp, add, sub: carry, zero and signed comparison
    ZERO = 3  # inc, dec: zero and signed comparison


class Result(Enum):
    """What is known of the value that an instruction writes to its first operand."""

    FUNCTION = 0  # a function of what it reads
    COPY = 1  # what it reads: a register, or memory
    SUM = 2  # the register that it reads, and `addend`
    UNKNOWN = 3  # of something else


@dataclass(frozen=True, slots=True)
class Access:
    """One operand in memory."""

    base: str  # "" is none; "rip" is the address of the next instruction
    index: str
    scale: int
    displacement: int
    segment: str  # "" unless fs or gs
    size: int  # bytes
    loads: bool
    stores: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the model knows of an instruction before it knows the CPU."""

    code: bytes
    opcode_at: int  # offset of the last opcode byte, after prefixes and escapes
    changes_length: bool  # a prefix that changes the length of the immediate (LCP)
    form: str  # the key of the CPU tables: mnemonic and kinds of operands
    mnemonic: str
    reads: tuple[str, ...]  # as data; what only makes an address is in `memory`
    writes: tuple[str, ...]
    advances: tuple[str, ...]  # address registers that it moves on by itself (movs, ...)
    memory: tuple[Access, ...]  # that of a push or pop comes last
    stack: int  # what it adds to the stack pointer beside its operands
    width: int  # bytes of the first operand
    is_moving: bool  # copies one register to another: a candidate for move elimination
    is_zeroing: bool  # a zero idiom: reads nothing, whatever it names
    is_locked: bool
    result: Result
    addend: int
    transfer: Transfer
    condition: str  # of a conditional transfer, as in the mnemonic; else ""
    fusion: Fusion

    @property
    def size(self) -> int:
        """Give its length in bytes."""
        return len(self.code)

    @property
    def loads(self) -> bool:
        """Tell whether it reads memory."""
        return any(access.loads for access in self.memory)

    @property
    def stores(self) -> bool:
        """Tell whether it writes memory."""
        return any(access.stores for access in self.memory)

    @property
    def is_indexed(self) -> bool:
        """Tell whether an address has an index register."""
        return any(access.index for access in self.memory)

    @property
    def names_stack(self) -> bool:
        """Tell whether it reads the stack pointer other than by being a push or pop."""
        own = self.memory[:-1] if self.stack else self.memory
        return "rsp" in self.reads or any("rsp" in (a.base, a.index) for a in own)
