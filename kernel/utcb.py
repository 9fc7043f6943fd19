"""The UTCB: 128 machine words that a thread and the kernel share.

Word offsets follow L4Re (`l4sys/include/ARCH-x86/L4API-l4f/utcb.h` and
`l4/sys/utcb.h`; Fiasco's `class Utcb`).  They are the same on both architectures,
only the size of a word differs.  This table is the only place where they are written
down: the kernel's view, the assembler include that `guest` generates and the names in
every report read it.
"""

from enum import Enum
from typing import NamedTuple

WORDS = 128


class Span(NamedTuple):
    """A run of UTCB words."""

    first: int
    length: int


class Field(Enum):
    """The registers of a UTCB in memory order."""

    MR = Span(0, 63)  # message registers
    SELF = Span(63, 1)  # the UTCB's own address; the segment base points here
    BDR = Span(64, 1)  # buffer descriptor
    BR = Span(65, 58)  # buffer registers
    ERROR = Span(123, 1)  # IPC error code
    FREE_MARKER = Span(124, 1)  # zero once the kernel has let go of the UTCB
    USER = Span(125, 3)  # the guest's own; the kernel never looks


# The same numbers as plain constants, for the paths that benchmarks show to be hot.
MR, MR_COUNT = Field.MR.value
SELF = Field.SELF.value.first
BDR = Field.BDR.value.first
BR, BR_COUNT = Field.BR.value
ERROR = Field.ERROR.value.first
FREE_MARKER = Field.FREE_MARKER.value.first
USER = Field.USER.value.first


def size_of(word: int) -> int:
    """Give the size in bytes of a UTCB for a machine word of `word` bytes."""
    return WORDS * word


def name_of(index: int) -> str:
    """Name word `index` as a report prints it: ``mr[5]``, ``br[0]``, ``error``."""
    for field in Field:
        first, length = field.value
        if first <= index < first + length:
            name = field.name.lower()
            return name if length == 1 else f"{name}[{index - first}]"
    raise ValueError(f"word {index} is outside a UTCB of {WORDS} words")
