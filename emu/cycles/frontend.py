"""The front end: how fast instructions become micro-ops.

Two ways lead there.  Code that runs for the first time (and a block that is unrolled as in
the measurements) is predecoded and decoded; what has run before comes from the micro-op
cache, or from the loop buffer.
"""

from collections.abc import Sequence
from math import gcd

from emu.cycles.cpu import Cpu
from emu.cycles.pricing import Price

_WINDOW = 16  # bytes that are predecoded together
_LENGTH_CHANGE = 3  # cycles: Intel, Optimization Reference Manual, 3.4.2.3


def predecode_cycles(prices: Sequence[Price], cpu: Cpu, alignment: int) -> float:
    """Give the cycles per copy that the predecoder needs, copy after copy.

    Every window takes a cycle for each `predecoded` instructions that end in it, or that
    have their opcode in it and their end in the next.  A prefix that changes a length
    stalls for three cycles, which hide behind further cycles of the window before.
    """
    length = sum(p.instruction.size for p in prices)
    copies = _WINDOW // gcd(length, _WINDOW)
    total = length * copies
    windows = total // _WINDOW
    counts = [0] * windows
    stalls = [0] * windows
    at = alignment % _WINDOW
    for _ in range(copies):
        for p in prices:
            instruction = p.instruction
            last = (at + instruction.size - 1) // _WINDOW % windows
            first = (at + instruction.opcode_at) // _WINDOW % windows
            counts[last] += 1
            if first != last:
                counts[first] += 1
            if instruction.changes_length:
                stalls[first] += _LENGTH_CHANGE
            at += instruction.size
    cycles = [max(1, -(-count // cpu.predecoded)) for count in counts]
    extra = sum(
        max(0, stall - (cycles[i - 1] - 1)) for i, stall in enumerate(stalls) if stall
    )
    return (sum(cycles) + extra) / copies


_DECODE_ROUNDS = 48
_SEQUENCER_WIDTH = 4  # micro-ops per cycle from the microcode sequencer
_DECODABLE = 4  # an instruction of more micro-ops is microcode


def decode_cycles(prices: Sequence[Price], cpu: Cpu) -> float:
    """Give the cycles per copy that the decoders need, copy after copy.

    The first decoder takes everything, the others what is one micro-op.
    """
    seen: dict[int, tuple[int, int]] = {}
    cycle = 0
    place = cpu.decoders  # the decoder that comes next; none is left in this cycle
    left = 0
    for copy in range(_DECODE_ROUNDS):
        if place in seen:
            first_copy, first_cycle = seen[place]
            return (cycle - first_cycle) / (copy - first_copy)
        seen[place] = copy, cycle
        for p in prices:
            if p.decoded > _DECODABLE:
                cycle += 1 - -p.decoded // _SEQUENCER_WIDTH
                place = cpu.decoders
                continue
            if (
                place >= cpu.decoders
                or p.is_complex
                or p.decoded > left
                or (cpu.last_waits and place == cpu.decoders - 1 and p.may_fuse)
            ):
                cycle += 1
                place = 0
                left = cpu.decoded
            place += 1
            left -= p.decoded
    return cycle / _DECODE_ROUNDS
