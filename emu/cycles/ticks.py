"""What the machine charges, in ticks of 1/64 cycle.

A cost is a function of the bytes of a block, its address modulo 64, the architecture, the
CPU, and whether the block follows itself; and never nothing.
"""

from functools import lru_cache

from emu.cycles.block import BlockModel
from emu.cycles.cpu import CPUS
from emu.cycles.decode import Undecodable
from emu.cycles.pricing import Price

TICKS_PER_CYCLE = 64
ALIGNMENT = 64  # what the model looks at of an address

# The name of the rules in this package: a change of any cost that the tables do not show
# makes another one.
RULES = 1

_BLOCKS_KEPT = 1 << 14  # at most a page of code each
_UNDECODABLE_TICKS = TICKS_PER_CYCLE  # for bytes that end a block without being an instruction

# Cycles of each repetition of a string instruction after the first.  Moving and storing go by
# up to 32 bytes a cycle: Intel, "REP Prefix and Data Movement".  The others take two cycles:
# Agner Fog, Instruction tables, Skylake, "REPE CMPS" and its neighbours.
_FAST_BYTES = 32
_SLOW_CYCLES = 2


def block_ticks(code: bytes, alignment: int, arch: str, cpu: str, follows_itself: bool) -> int:
    """Give what one execution of a block costs.

    `follows_itself` tells that the block's last execution was just before: then its results
    are waited for.
    """
    return _block_ticks(code, alignment % ALIGNMENT, arch, cpu, follows_itself)


def first_ticks(code: bytes, alignment: int, arch: str, cpu: str) -> int:
    """Give what the first execution costs, before the micro-op cache knows the block."""
    model = _model(cpu, arch)
    known, extra = _decodable(model, code)
    return _ticks(model.first(known, alignment % ALIGNMENT).cycles) + extra


def repetition_ticks(code: bytes, arch: str, cpu: str) -> int:
    """Give what each repetition after the first costs of the `rep` that ends a block."""
    model = _model(cpu, arch)
    prices = model.prices(_decodable(model, code)[0])
    if not prices:
        return TICKS_PER_CYCLE
    last = prices[-1].instruction
    if last.mnemonic.startswith(("movs", "stos")):
        return max(1, TICKS_PER_CYCLE * last.width // _FAST_BYTES)
    return _SLOW_CYCLES * TICKS_PER_CYCLE


def unknown_forms(code: bytes, arch: str, cpu: str) -> tuple[str, ...]:
    """List the instruction forms of a block that no table has, and that cost a guess."""
    model = _model(cpu, arch)
    prices: list[Price] = model.prices(_decodable(model, code)[0])
    return tuple(p.instruction.form for p in prices if not p.is_known)


@lru_cache(_BLOCKS_KEPT)
def _block_ticks(code: bytes, alignment: int, arch: str, cpu: str, follows_itself: bool) -> int:
    model = _model(cpu, arch)
    known, extra = _decodable(model, code)
    figure = model.loop if follows_itself else model.once
    return _ticks(figure(known, alignment).cycles) + extra


@lru_cache(2 * len(CPUS))
def _model(cpu: str, arch: str) -> BlockModel:
    assert arch in ("amd64", "ia32"), arch
    return BlockModel(CPUS[cpu], is_amd64=arch == "amd64")


def _decodable(model: BlockModel, code: bytes) -> tuple[bytes, int]:
    try:
        model.prices(code)
    except Undecodable as error:
        return code[: error.offset], _UNDECODABLE_TICKS
    return code, 0


def _ticks(cycles: float) -> int:
    return max(1, round(cycles * TICKS_PER_CYCLE))
