"""What code costs, in ticks.

Of a named CPU `emu.cycles` is asked, once for each new block.  `flat` is no CPU: every
instruction costs one cycle, every further repetition of a string instruction another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from emu.cycles.tables import digest_tables
from emu.cycles.ticks import (
    RULES,
    TICKS_PER_CYCLE,
    block_ticks,
    first_ticks,
    repetition_ticks,
    unknown_forms,
)
from emu.decode import End, Shape, is_conditional, jump_distance
from emu.timing import BLOCKS, FLAT, Timing, check_timing

CYCLE_SHIFT = 6

TRAP_TICKS = TICKS_PER_CYCLE

# Of a branch that was guessed wrong, on all CPUs here: Agner Fog, The microarchitecture of
# Intel, AMD and VIA CPUs, has 15 to 20 for Haswell and Skylake; 17 to 23 were measured on an
# Ice Lake server.
MISPREDICTION_TICKS = 17 * TICKS_PER_CYCLE

_DIGEST = 8  # bytes


@dataclass(frozen=True, slots=True)
class Cost:
    """What the executions of a block cost."""

    once: int
    again: int  # of an execution that follows another one of the same block
    repetition: int  # of each repetition after the first, if a string instruction ends it
    is_guessed: bool = False  # it ends in a branch that the core has to guess
    first: int = 0  # of the first one of all; 0: like the others


# From a block's shape, its bytes and its address mod 64.
CostModel = Callable[[Shape, bytes, int], Cost]


def cost_model(timing: Timing, arch: str) -> CostModel:
    """Give the function that tells the cost of a block."""
    cpu = timing.cpu
    if cpu == FLAT:
        return _flat_cost

    def cost(shape: Shape, code: bytes, alignment: int) -> Cost:
        once = block_ticks(code, alignment, arch, cpu, False)
        again = once
        if _may_follow_itself(shape, code):
            again = block_ticks(code, alignment, arch, cpu, True)
        is_string = shape.end is End.REPEAT
        repetition = repetition_ticks(code, arch, cpu) if is_string else 0
        is_guessed = (
            timing.model != BLOCKS
            and shape.end is End.TRANSFER
            and is_conditional(code[shape.offsets[-1] :])
        )
        first = first_ticks(code, alignment, arch, cpu) if timing.front_end else 0
        return Cost(once, again, repetition, is_guessed, max(first, once) if first else 0)

    return cost


def cost_digest(timing: Timing) -> str:
    """Give a digest of all that costs come from: another one, other costs."""
    check_timing(timing)
    digest = blake2b(
        f"{timing.cpu} {TICKS_PER_CYCLE} {TRAP_TICKS}".encode(), digest_size=_DIGEST
    )
    if timing.cpu != FLAT:
        digest.update(f" {RULES} {digest_tables(timing.cpu)} {MISPREDICTION_TICKS}".encode())
    return digest.hexdigest()


def guessed_forms(code: bytes, arch: str, timing: Timing) -> tuple[str, ...]:
    """List the instruction forms of a block whose cost is a guess: no table has them."""
    return () if timing.cpu == FLAT else unknown_forms(code, arch, timing.cpu)


def _flat_cost(shape: Shape, code: bytes, alignment: int) -> Cost:
    ticks = TICKS_PER_CYCLE * len(shape.offsets)
    return Cost(ticks, ticks, TICKS_PER_CYCLE)


def _may_follow_itself(shape: Shape, code: bytes) -> bool:
    # Latency takes half the time of the model, and few blocks jump to their own start.
    if shape.end not in (End.TRANSFER, End.CALL):
        return False
    distance = jump_distance(code[shape.offsets[-1] :])
    return distance is None or distance == -shape.size
