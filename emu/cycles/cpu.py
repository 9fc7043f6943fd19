"""The CPUs: what is true of a whole core.  What is true of an instruction is in the tables.

Sources: Intel, 64 and IA-32 Architectures Optimization Reference Manual (order number
248966), chapter 2 for each core; Agner Fog, The microarchitecture of Intel, AMD and VIA
CPUs; A. Abel and J. Reineke, uiCA (ICS 2022), for predecoder, decoders and the loop buffer.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cpu:
    """One kind of core."""

    name: str
    issue_width: int  # fused micro-ops that are renamed per cycle
    decoders: int
    last_waits: bool  # the last decoder leaves what may be fused with its successor
    decoded: int  # micro-ops that the decoders deliver per cycle
    predecoded: int  # instructions per cycle and 16-byte window
    cache_width: int  # micro-ops per cycle from the micro-op cache
    cache_window: int  # bytes of code that share a line of it
    loop_buffer: int  # micro-ops that the loop stream detector holds; 0: it is off
    load_latency: int
    short_load: bool  # a cycle less for a pointer that was just loaded
    forward_latency: float  # from a store's data to a load that it covers
    blocked_latency: int  # the same, if it covers only part of the load
    eliminates_moves: bool  # of general registers
    eliminates_vector_moves: bool
    false_inputs: frozenset[str] = field(default=frozenset())  # wait for their old result
    branch_ports: int = 0  # bit masks
    taken_ports: int = 0


_PORT_0, _PORT_6 = 1 << 0, 1 << 6

SKYLAKE = Cpu(
    name="skylake",
    issue_width=4,
    decoders=4,
    last_waits=False,
    decoded=5,
    predecoded=5,
    cache_width=6,
    cache_window=64,
    loop_buffer=0,  # off by microcode: Intel, erratum SKL150
    load_latency=5,
    short_load=True,
    forward_latency=4,
    blocked_latency=12,
    eliminates_moves=True,
    eliminates_vector_moves=True,
    false_inputs=frozenset({"popcnt"}),
    branch_ports=_PORT_0 | _PORT_6,
    taken_ports=_PORT_6,
)
HASWELL = Cpu(
    name="haswell",
    issue_width=4,
    decoders=4,
    last_waits=True,
    decoded=4,
    predecoded=5,
    cache_width=4,
    cache_window=32,
    loop_buffer=56,
    load_latency=5,
    short_load=True,
    forward_latency=5,
    blocked_latency=12,
    eliminates_moves=True,
    eliminates_vector_moves=True,
    false_inputs=frozenset({"popcnt", "lzcnt", "tzcnt"}),
    branch_ports=_PORT_0 | _PORT_6,
    taken_ports=_PORT_6,
)
ICELAKE_SERVER = Cpu(
    name="icelake-server",
    issue_width=5,
    decoders=4,
    last_waits=False,
    decoded=5,
    predecoded=5,
    cache_width=6,
    cache_window=64,
    loop_buffer=70,
    load_latency=5,
    short_load=False,
    forward_latency=4.5,
    blocked_latency=12,
    # Off by microcode: Intel, erratum ICL065.
    eliminates_moves=False,
    eliminates_vector_moves=True,
    branch_ports=_PORT_0 | _PORT_6,
    taken_ports=_PORT_6,
)
CPUS: dict[str, Cpu] = {cpu.name: cpu for cpu in (SKYLAKE, HASWELL, ICELAKE_SERVER)}
