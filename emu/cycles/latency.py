"""Loop-carried latency: how fast a block can follow itself when it waits for its own results.

The block is followed for some rounds as by a core without limits: a result is ready when its
inputs are and its latency has passed.  What every round takes longer than the one before
is what the slowest chain of dependencies through all rounds takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from emu.cycles.cpu import Cpu
from emu.cycles.pricing import Price
from emu.cycles.values import Store, Values

_ROUNDS = 12
_STEADY = 3  # rounds that take the same: so will all that follow
# A load from a base register that was itself loaded, plus a small displacement, takes a
# cycle less: Intel, "Load and Store Operation Overview" (up to Skylake).
_SHORT_DISPLACEMENT = 2048
_NO_STEP = -1


@dataclass(frozen=True, slots=True)
class Carried:
    """The slowest chain through all rounds."""

    cycles: float  # per round
    path: tuple[int, ...]  # the instructions on it, in order; empty if there is none


def carried_latency(
    prices: Sequence[Price], cpu: Cpu, syncs: frozenset[int], *, unrolled: bool
) -> Carried:
    """Find the slowest chain.

    `syncs` are the instructions before which the stack engine adds to rsp.  Copies of an
    unrolled block have different addresses for what is relative to the instruction.
    """
    # One long function: it is 0.33 of the 0.5 ms that a block takes.
    count = len(prices)
    ready: dict[str, float] = {}
    source: dict[str, int] = {}  # the step that made a register's value
    pointers: set[str] = set()  # registers that were loaded
    values = Values()
    parents: list[int] = []
    blocked = 0.0
    before = [0.0] * count
    growth: list[float] = []
    steady = 0
    half: list[float] = []
    at = 0
    for number in range(_ROUNDS):
        times = []
        if not unrolled:
            at = 0
        for index, p in enumerate(prices):
            instruction = p.instruction
            at += instruction.size
            step = number * count + index
            if index in syncs:
                ready["rsp"] = ready.get("rsp", 0.0) + 1
            address = data = 0.0
            parent = address_parent = _NO_STEP
            for register in p.addresses:
                when = ready.get(register, 0.0)
                if when > address:
                    address = when
                    address_parent = source.get(register, _NO_STEP)
            for register in p.reads:
                when = ready.get(register, 0.0)
                if when > data:
                    data = when
                    parent = source.get(register, _NO_STEP)
            inputs = [values.of(register) for register in p.reads]
            result = data + p.latency
            targets = []
            for access in instruction.memory:
                place = values.place_of(access, at)
                if access.loads:
                    loaded = address + p.load_latency
                    loaded_parent = address_parent
                    if (
                        cpu.short_load
                        and access.base in pointers
                        and not access.index
                        and 0 <= access.displacement < _SHORT_DISPLACEMENT
                        and instruction.width <= 8
                    ):
                        loaded -= 1
                    store = values.last_store(place)
                    inputs.append(values.loaded(place, store))
                    if store is not None:
                        if store.covers(place):
                            # An operation of a register on memory is not renamed.
                            is_renamed = not access.index and not (
                                instruction.stores and p.reads
                            )
                            forwarded = store.ready + (
                                cpu.renamed_latency if is_renamed else cpu.forward_latency
                            )
                        else:
                            # The load waits until the store has left; one after the other.
                            forwarded = max(loaded, store.ready, blocked) + cpu.blocked_latency
                            blocked = forwarded
                        if forwarded > loaded:
                            loaded = forwarded
                            loaded_parent = store.step
                    if loaded + p.latency > result:
                        result = loaded + p.latency
                        parent = loaded_parent
                if access.stores:
                    targets.append(place)
            new = values.result(instruction, inputs, step)
            for place in targets:
                values.store(Store(place, new, result, step))
            values.assign(instruction, new)
            for register in instruction.advances:
                ready[register] = ready.get(register, 0.0) + 1
                source[register] = step
            # Moving it keeps it what it is, if the move takes no time.
            is_load = not p.latency and (
                instruction.loads or (instruction.is_moving and p.reads[0] in pointers)
            )
            for register in p.writes:
                ready[register] = result
                source[register] = step
                if is_load:
                    pointers.add(register)
                else:
                    pointers.discard(register)
            times.append(result)
            parents.append(parent)
        grown = [now - then for now, then in zip(times, before, strict=True)]
        before = times
        steady = steady + 1 if grown == growth else 0
        growth = grown
        if steady >= _STEADY:
            break
        if number == _ROUNDS // 2 - 1:
            half = times
    else:
        rounds = _ROUNDS - _ROUNDS // 2
        growth = [(now - then) / rounds for now, then in zip(before, half, strict=True)]
    cycles = max(growth, default=0.0)
    if cycles <= 0:
        return Carried(0.0, ())
    return Carried(cycles, _path(parents, count, growth.index(cycles)))


def _path(parents: list[int], count: int, index: int) -> tuple[int, ...]:
    """Follow what was waited for, from the last round back, until the chain closes."""
    step = len(parents) - count + index
    walked: list[int] = []
    seen: dict[int, int] = {}
    while step != _NO_STEP:
        own = step % count
        if own in seen:
            return tuple(reversed(walked[seen[own] :]))
        seen[own] = len(walked)
        walked.append(own)
        step = parents[step]
    return ()
