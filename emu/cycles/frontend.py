"""The front end: how fast instructions become micro-ops.

Two ways lead there.  Code that runs for the first time (and a block that is unrolled as in
the measurements) is predecoded and decoded.  What has run before comes from the micro-op
cache, or from the loop buffer where there is one.
"""

from collections.abc import Sequence
from math import gcd

from emu.cycles.cpu import Cpu
from emu.cycles.pricing import Price

_LENGTH_CHANGE = 3  # cycles: Intel, "Length-Changing Prefixes (LCP)"
_MOST_ROUNDS = 48
_SEQUENCER_WIDTH = 4  # micro-ops per cycle from the microcode sequencer
_DECODABLE = 4  # an instruction of more micro-ops is microcode


def predecode_cycles(
    prices: Sequence[Price], cpu: Cpu, alignment: int, *, unrolled: bool
) -> float:
    """Give the cycles that the predecoder needs: per copy if unrolled, else of one copy.

    A window takes a cycle for each `predecoded` instructions that end in it, or have their
    opcode in it and end in the next (Abel and Reineke, 4.1).  A prefix that changes a length
    stalls for three cycles; what the window before takes longer than one hides of these.
    """
    length = sum(p.instruction.size for p in prices)
    window = cpu.window
    begin = alignment % window
    if unrolled:
        copies = window // gcd(length, window)
        windows = length * copies // window
    else:
        copies = 1
        windows = -(-(begin + length) // window)
    counts = [0] * windows
    stalls = [0] * windows
    at = begin
    for _ in range(copies):
        for p in prices:
            instruction = p.instruction
            opcode_in = (at + instruction.opcode_at) // window % windows
            at += instruction.size
            ends_in = (at - 1) // window % windows
            counts[ends_in] += 1
            if opcode_in != ends_in:
                counts[opcode_in] += 1
            if instruction.changes_length:
                stalls[opcode_in] += _LENGTH_CHANGE
    cycles = [max(1, -(-count // cpu.predecoded)) for count in counts]
    stalled = sum(
        max(0, stall - (cycles[number - 1] - 1)) for number, stall in enumerate(stalls) if stall
    )
    return (sum(cycles) + stalled) / copies


def decode_cycles(prices: Sequence[Price], cpu: Cpu, *, unrolled: bool) -> float:
    """Give the cycles that the decoders need: per copy if unrolled, else of one copy.

    The first decoder takes everything, the others what is one micro-op.  Copies are followed
    until one begins at a decoder where another began.
    """
    seen: dict[int, tuple[int, int]] = {}
    cycle = 0
    place = cpu.decoders  # the decoder that comes next; none is left in this cycle
    left = 0  # micro-ops that this cycle can still deliver
    for copy in range(_MOST_ROUNDS):
        if place in seen:
            first_copy, first_cycle = seen[place]
            return (cycle - first_cycle) / (copy - first_copy)
        seen[place] = copy, cycle
        for p in prices:
            if p.decoded > _DECODABLE:
                cycle += 1 - -p.decoded // _SEQUENCER_WIDTH  # one to switch over
                place = cpu.decoders
                continue
            waits = cpu.last_waits and p.may_fuse and place == cpu.decoders - 1
            if place >= cpu.decoders or p.is_complex or p.decoded > left or waits:
                cycle += 1
                place = 0
                left = cpu.decoded
            place += 1
            left -= p.decoded
        if not unrolled:
            return cycle
    return cycle / _MOST_ROUNDS


def loop_cycles(slots: int, cpu: Cpu) -> float:
    """Give the cycles per round that a loop of so many micro-ops needs to be delivered.

    A round takes at least a cycle, for the taken branch.  The loop buffer does not issue
    the end of one round and the begin of the next in one cycle, but holds several rounds of
    a short loop: until half of it is full (Agner Fog, The microarchitecture, 9.7).
    """
    if not slots <= cpu.loop_buffer:
        return max(1.0, slots / cpu.issue_width, slots / cpu.cache_width)
    rounds = max(1, cpu.loop_buffer // 2 // max(slots, 1))
    return max(1.0, -(-slots * rounds // cpu.issue_width) / rounds)
