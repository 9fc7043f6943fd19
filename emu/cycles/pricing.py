"""What an instruction asks of one CPU: slots, micro-ops by ports, and its latencies."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emu.cycles.cpu import Cpu
from emu.cycles.instruction import Fusion, Instruction, Result, Transfer
from emu.cycles.tables import Entry, Table

_LOCK = "lock"  # the row of the overrides for what a lock adds
_MOVING = ("mov", "vmov", "lddqu", "vlddqu", "vbroadcast")


@dataclass(frozen=True, slots=True)
class Price:
    """One instruction on one CPU; or two, if they are fused."""

    instruction: Instruction
    decoded: int  # micro-ops that leave the decoders
    slots: int  # micro-ops that are renamed: some come apart again before
    ports: tuple[tuple[int, int], ...]  # (set of ports as a bit mask, micro-ops)
    divider: int  # cycles
    serialises: int  # cycles in which nothing else happens
    is_complex: bool  # only the first decoder takes it
    may_fuse: bool  # with a branch, if one follows
    latency: float  # from its registers to its result
    load_latency: float  # from its address to the loaded value
    reads: tuple[str, ...]
    addresses: tuple[str, ...]
    writes: tuple[str, ...]
    is_known: bool  # false: its form is in no table
    count: int = 1  # instructions


def price(instruction: Instruction, cpu: Cpu, table: Table) -> Price:
    """Work out what one instruction asks of `cpu`."""
    found = table.find(instruction.form)
    entry = found or _guess(instruction, cpu)
    ports = dict(entry.ports)
    if instruction.stack:
        # The stack engine adds to rsp before renaming (Intel, "Stack Pointer Tracker");
        # LLVM has a micro-op for it.
        _take(ports, cpu.integer_ports)
    micro_ops = sum(ports.values()) or entry.micro_ops
    latency, load_latency = _latencies(instruction, entry, cpu, table)
    is_renaming = _is_eliminated(instruction, cpu) or _is_folded(instruction, cpu)
    if instruction.is_zeroing or is_renaming:
        ports, latency = {}, 0.0
    decoded = _fused(instruction, micro_ops)
    slots = decoded + _comes_apart(instruction, micro_ops)
    reads = instruction.reads
    if instruction.mnemonic in cpu.false_inputs and instruction.writes:
        reads = (*reads, instruction.writes[0])
    lock = table.find(_LOCK) if instruction.is_locked else None
    return Price(
        instruction=instruction,
        decoded=decoded,
        slots=slots,
        ports=tuple(ports.items()),
        divider=entry.divider,
        serialises=entry.serialises + (lock.serialises if lock else 0),
        is_complex=slots > 1,
        may_fuse=instruction.fusion is not Fusion.NONE,
        latency=latency,
        load_latency=load_latency,
        reads=reads,
        addresses=tuple(
            dict.fromkeys(
                register
                for access in instruction.memory
                for register in (access.base, access.index)
                if register not in ("", "rip")
            )
        ),
        writes=instruction.writes,
        is_known=found is not None,
    )


def fuse(prices: Sequence[Price], cpu: Cpu, alignment: int) -> list[Price]:
    """Join each pair that the decoders make one micro-op of (Intel, "Macro-Fusion").

    `alignment` is the address of the first instruction modulo 64: a branch at the start of
    a cache line is not fused.
    """
    joined: list[Price] = []
    at = alignment
    for own in prices:
        branch = own.instruction
        before = joined[-1] if joined else None
        if (
            branch.transfer is Transfer.CONDITIONAL
            and before is not None
            and before.count == 1
            and branch.condition in _CONDITIONS[before.instruction.fusion]
            and at % _LINE
        ):
            ports = dict(before.ports)
            _take(ports, cpu.integer_ports)
            for mask, count in own.ports:
                ports[mask] = ports.get(mask, 0) + count
            joined[-1] = replace(before, ports=tuple(ports.items()), may_fuse=False, count=2)
        else:
            joined.append(own)
        at += branch.size
    return joined


def taken(prices: Sequence[Price], cpu: Cpu) -> list[Price]:
    """Let the last branch be taken, which not every branch port can do."""
    if not prices:
        return []
    *before, last = prices
    if last.instruction.transfer is Transfer.NONE and last.count == 1:
        return list(prices)
    ports: dict[int, int] = {}
    for mask, count in last.ports:
        is_branch = mask & cpu.taken_ports and not mask & ~cpu.integer_ports
        own = cpu.taken_ports if is_branch else mask
        ports[own] = ports.get(own, 0) + count
    return [*before, replace(last, ports=tuple(ports.items()))]


_LINE = 64
_SIGNED = frozenset(("e", "ne", "l", "ge", "le", "g"))
_CARRIED = frozenset(("b", "ae", "be", "a"))
_CONDITIONS: dict[Fusion, frozenset[str]] = {
    Fusion.NONE: frozenset(),
    Fusion.ALL: _SIGNED | _CARRIED | {"s", "ns", "p", "np", "o", "no"},
    Fusion.CARRY: _SIGNED | _CARRIED,
    Fusion.ZERO: _SIGNED,
}


def _latencies(
    instruction: Instruction, entry: Entry, cpu: Cpu, table: Table
) -> tuple[float, float]:
    """Give the latency from the registers, and that of a load."""
    latency = float(max(entry.latencies))
    load = float(cpu.load_latency)
    if instruction.stack:
        return 0.0, load  # LLVM has the addition to rsp in it
    if not instruction.memory:
        return latency, load
    if instruction.mnemonic.startswith(_MOVING):
        # What a store takes is part of the way to the load that sees it.
        return 0.0, max(latency, load) if not instruction.stores else load
    # Of an operation on memory the table has the sum; the form on registers tells what the
    # operation takes of it.
    for register in _REGISTERS:
        plain = table.find(_MEMORY.sub(register, instruction.form))
        if plain is not None:
            return float(max(plain.latencies)), load
    return max(latency - instruction.loads * load - instruction.stores, 1.0), load


_MEMORY = re.compile(r"m(\d+)")
_REGISTERS = (r"r\1", "x", "y")


def _is_eliminated(instruction: Instruction, cpu: Cpu) -> bool:
    if not instruction.is_moving:
        return False
    is_vector = instruction.form[-1] in "xyz"
    return cpu.eliminates_vector_moves if is_vector else cpu.eliminates_moves


def _is_folded(instruction: Instruction, cpu: Cpu) -> bool:
    return (
        cpu.folds_additions
        and instruction.result is Result.SUM
        and instruction.width == _FOLDED_WIDTH
        and abs(instruction.addend) < _FOLDED_LIMIT
        and not instruction.memory
    )


_FOLDED_WIDTH = 8  # bytes
_FOLDED_LIMIT = 1024  # own measurement: 1000 is folded, 2000 is not


def _fused(instruction: Instruction, micro_ops: int) -> int:
    # A load stays with what uses it, a store's address with its data: Intel,
    # "Micro-Fusion".
    if instruction.loads and micro_ops > 1:
        micro_ops -= 1
    if instruction.stores and micro_ops > 1:
        micro_ops -= 1
    return max(1, micro_ops)


def _comes_apart(instruction: Instruction, micro_ops: int) -> int:
    """Tell how many micro-ops more are renamed because the address has an index.

    Intel, "Micro-op Queue and the Loop Stream Detector (LSD)"; since Haswell a load stays
    with its operation if the destination is a source (Agner Fog, The microarchitecture).
    """
    if not instruction.is_indexed or not instruction.loads or micro_ops < 2:
        return 0
    if instruction.stores:
        return 0
    is_vex = instruction.mnemonic[0] == "v"
    return 1 if is_vex or instruction.mnemonic in ("cmp", "test") else 0


def _take(ports: dict[int, int], mask: int) -> None:
    if mask in ports:
        ports[mask] -= 1
        if not ports[mask]:
            del ports[mask]


def _guess(instruction: Instruction, cpu: Cpu) -> Entry:
    # A form that no table has is never free: one operation, besides its accesses.
    ports = {cpu.integer_ports: 1}
    latency = 1
    if instruction.loads:
        ports[cpu.load_ports] = 1
        latency += cpu.load_latency
    if instruction.stores:
        ports[cpu.address_ports] = ports[cpu.data_ports] = 1
    return Entry(sum(ports.values()), (latency,), tuple(ports.items()), 0)
