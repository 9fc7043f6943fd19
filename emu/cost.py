"""What code costs, in ticks.

A placeholder model: every instruction costs one cycle, every further repetition of a
string instruction another.  Nothing else in this package knows a cost.
"""

from emu.decode import Shape

TICKS_PER_CYCLE = 64
CYCLE_SHIFT = 6

TRAP_TICKS = TICKS_PER_CYCLE


def block_cost(shape: Shape, code: bytes, alignment: int) -> int:
    """Give the cost of one execution of a block of these bytes at `alignment` mod 64."""
    return TICKS_PER_CYCLE * len(shape.offsets)


def repetition_cost(shape: Shape, code: bytes, alignment: int) -> int:
    """Give the cost of each repetition after the first of the block's string instruction."""
    return TICKS_PER_CYCLE
