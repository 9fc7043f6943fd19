"""What an instruction asks of one CPU: slots, micro-ops by ports, and its latencies."""

from dataclasses import dataclass

from emu.cycles.cpu import Cpu
from emu.cycles.instruction import Fusion, Instruction
from emu.cycles.tables import Entry, Table

# Before the tables, so that a form that none knows is never free: one micro-op on any of
# the integer ports for one cycle, besides its accesses.
_INTEGER_PORTS = 0b1100011
_LOAD_PORTS = 0b1100
_ADDRESS_PORTS = 0b10001100
_DATA_PORT = 0b10000


@dataclass(frozen=True, slots=True)
class Price:
    """One instruction on one CPU."""

    instruction: Instruction
    decoded: int  # micro-ops that leave the decoders
    slots: int  # micro-ops that are renamed: after fusion, and coming apart again
    ports: tuple[tuple[int, int], ...]
    divider: int  # cycles
    serialises: int  # cycles in which nothing else happens
    may_fuse: bool  # with a branch that may follow
    is_complex: bool  # only the first decoder takes it
    latency: float  # from its registers to its result
    load_latency: float  # from its address to the loaded value
    reads: tuple[str, ...]
    addresses: tuple[str, ...]
    writes: tuple[str, ...]
    needs_stack: bool  # reads the stack pointer itself: after a push, it has to be added up
    sets_stack: bool
    is_known: bool  # false: its form is in no table


def price(instruction: Instruction, cpu: Cpu, table: Table) -> Price:
    """Work out what one instruction asks of `cpu`."""
    entry = table.find(instruction.form)
    is_known = entry is not None
    if entry is None:
        entry = _guess(instruction, cpu)
    loads, stores = instruction.loads, instruction.stores
    ports = dict(entry.ports)
    latency = float(max(entry.latencies))
    micro_ops = sum(ports.values()) or entry.micro_ops
    load_latency = float(cpu.load_latency)
    mnemonic = instruction.mnemonic
    if instruction.stack and mnemonic != "leave":
        _drop(ports, _INTEGER_PORTS)  # the stack engine adds to rsp before renaming
        micro_ops = sum(ports.values())
    if stores and not loads and latency <= 1:
        latency = 0.0
    if loads:
        pure = mnemonic.startswith(("mov", "vmov", "pop", "lddqu", "vlddqu"))
        if pure:
            load_latency = max(latency, load_latency) if not stores else load_latency
            latency = 0.0
        else:
            latency = max(latency - load_latency - stores, 1.0)
    decoded = micro_ops
    if loads and micro_ops > 1:
        decoded -= 1
    if stores and decoded > 1:
        decoded -= 1
    slots = decoded
    if instruction.is_indexed and loads and not stores and micro_ops > 1:
        if mnemonic[0] == "v" or mnemonic in ("cmp", "test"):
            slots += 1
    decoded = slots = max(1, decoded)
    if instruction.is_zeroing:
        ports, latency = {}, 0.0
    elif instruction.is_moving:
        vector = instruction.form[-1] in "xy" 
        if cpu.eliminates_vector_moves if vector else cpu.eliminates_moves:
            ports, latency = {}, 0.0
    reads = instruction.reads
    if mnemonic in cpu.false_inputs:
        reads = (*reads, instruction.writes[0])
    return Price(
        instruction=instruction,
        decoded=decoded,
        slots=slots,
        ports=tuple(ports.items()),
        divider=entry.divider,
        serialises=0,
        may_fuse=instruction.fusion is not Fusion.NONE,
        is_complex=decoded > 1,
        latency=latency,
        load_latency=load_latency,
        reads=reads,
        addresses=tuple(
            dict.fromkeys(r for a in instruction.memory for r in (a.base, a.index) if r and r != "rip")
        ),
        writes=instruction.writes,
        needs_stack="rsp" in instruction.reads
        or any("rsp" in (a.base, a.index) for a in instruction.memory[: _explicit(instruction)]),
        sets_stack="rsp" in instruction.writes,
        is_known=is_known,
    )


def _explicit(instruction: Instruction) -> int:
    # The access of a push or pop is its last.
    return len(instruction.memory) - (1 if instruction.stack else 0)


def _drop(ports: dict[int, int], mask: int) -> None:
    for own in ports:
        if own == mask:
            ports[own] -= 1
            if not ports[own]:
                del ports[own]
            return


def _guess(instruction: Instruction, cpu: Cpu) -> Entry:
    ports = {_INTEGER_PORTS: 1}
    latency = 1
    if instruction.loads:
        ports[_LOAD_PORTS] = 1
        latency += cpu.load_latency
    if instruction.stores:
        ports[_ADDRESS_PORTS] = ports[_DATA_PORT] = 1
    return Entry(sum(ports.values()), (latency,), tuple(ports.items()), 0)
