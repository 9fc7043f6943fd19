"""The CPUs: what is true of a whole core.  What is true of an instruction is in the tables.

"Intel" and the title of a section, here and in the other files, is the 64 and IA-32
Architectures Optimization Reference Manual (order number 248966-046; the numbers of its
sections change from edition to edition).  Other sources: Agner Fog, The microarchitecture
of Intel, AMD and VIA CPUs; Abel and Reineke, uiCA (ICS 2022), section 4, for predecoder and
decoders.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cpu:
    """One kind of core."""

    name: str
    issue_width: int  # micro-ops that are renamed per cycle, after fusion
    predecoded: int  # instructions per cycle and 16-byte window
    decoders: int
    decoded: int  # micro-ops that they deliver per cycle
    last_waits: bool  # the last decoder leaves what may be fused with its successor
    cache_width: int  # micro-ops per cycle from the micro-op cache
    loop_buffer: int  # micro-ops that the loop stream detector holds; 0: it is off
    integer_ports: int  # as bit masks
    taken_ports: int  # of branches that are taken
    load_ports: int
    address_ports: int  # of stores
    data_ports: int
    load_latency: int
    short_load: bool  # a cycle less for a pointer that was just loaded
    forward_latency: float  # from a store's data to a load that it covers
    blocked_latency: int  # the same, if it covers only part of the load
    eliminates_moves: bool  # of general registers
    eliminates_vector_moves: bool
    false_inputs: frozenset[str]  # they wait for the old content of what they write


def _ports(names: str) -> int:
    return sum(1 << int(name, 16) for name in names)


SKYLAKE = Cpu(
    name="skylake",
    issue_width=4,
    predecoded=5,
    decoders=4,
    decoded=5,
    last_waits=False,
    cache_width=6,
    loop_buffer=0,  # off by microcode: Intel, specification update, SKL150
    integer_ports=_ports("0156"),
    taken_ports=_ports("6"),
    load_ports=_ports("23"),
    address_ports=_ports("237"),
    data_ports=_ports("4"),
    load_latency=5,
    short_load=True,
    forward_latency=4,
    blocked_latency=12,
    eliminates_moves=True,
    eliminates_vector_moves=True,
    false_inputs=frozenset({"popcnt"}),  # SKL029
)
HASWELL = Cpu(
    name="haswell",
    issue_width=4,
    predecoded=5,
    decoders=4,
    decoded=4,
    last_waits=True,
    cache_width=4,
    loop_buffer=56,
    integer_ports=_ports("0156"),
    taken_ports=_ports("6"),
    load_ports=_ports("23"),
    address_ports=_ports("237"),
    data_ports=_ports("4"),
    load_latency=5,
    short_load=True,
    forward_latency=5,
    blocked_latency=12,
    eliminates_moves=True,
    eliminates_vector_moves=True,
    false_inputs=frozenset({"popcnt", "lzcnt", "tzcnt"}),  # HSD146
)
ICELAKE_SERVER = Cpu(
    name="icelake-server",
    issue_width=5,
    predecoded=5,
    decoders=4,
    decoded=5,
    last_waits=False,
    cache_width=6,
    loop_buffer=70,
    integer_ports=_ports("0156"),
    taken_ports=_ports("6"),
    load_ports=_ports("23"),
    address_ports=_ports("78"),
    data_ports=_ports("49"),
    load_latency=5,
    short_load=False,
    forward_latency=4.5,
    blocked_latency=12,
    eliminates_moves=False,  # off by microcode: Intel, specification update, ICL065
    eliminates_vector_moves=True,
    false_inputs=frozenset(),
)
SAPPHIRERAPIDS = Cpu(
    name="sapphirerapids",
    issue_width=6,
    predecoded=6,
    decoders=6,
    decoded=6,
    last_waits=False,
    cache_width=8,
    loop_buffer=0,
    integer_ports=_ports("0156a"),
    taken_ports=_ports("6"),
    load_ports=_ports("23b"),
    address_ports=_ports("78"),
    data_ports=_ports("49"),
    load_latency=5,
    short_load=False,
    forward_latency=4.5,
    blocked_latency=14,
    eliminates_moves=True,
    eliminates_vector_moves=True,
    false_inputs=frozenset(),
)
CPUS: dict[str, Cpu] = {
    cpu.name: cpu for cpu in (SKYLAKE, HASWELL, ICELAKE_SERVER, SAPPHIRERAPIDS)
}
