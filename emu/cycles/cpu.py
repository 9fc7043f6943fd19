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
    window: int  # bytes that are predecoded together
    predecoded: int  # instructions per cycle and window
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
    renamed_latency: float  # the same, where loads are renamed: by a base, without an index
    blocked_latency: int  # the same, if it covers only part of the load
    eliminates_moves: bool  # of general registers
    eliminates_vector_moves: bool
    folds_additions: bool  # small constants are added to 64-bit registers when renaming
    false_inputs: frozenset[str]  # they wait for the old content of what they write


def _ports(names: str) -> int:
    return sum(1 << int(name, 16) for name in names)


SKYLAKE = Cpu(
    name="skylake",
    issue_width=4,
    window=16,
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
    renamed_latency=4,
    blocked_latency=12,
    eliminates_moves=True,
    eliminates_vector_moves=True,
    folds_additions=False,
    false_inputs=frozenset({"popcnt"}),  # SKL029
)
HASWELL = Cpu(
    name="haswell",
    issue_width=4,
    window=16,
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
    renamed_latency=5,
    blocked_latency=12,
    eliminates_moves=True,
    eliminates_vector_moves=True,
    folds_additions=False,
    false_inputs=frozenset({"popcnt", "lzcnt", "tzcnt"}),  # HSD146
)
ICELAKE_SERVER = Cpu(
    name="icelake-server",
    issue_width=5,
    window=16,
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
    renamed_latency=4.5,
    blocked_latency=12,
    eliminates_moves=False,  # off by microcode: Intel, specification update, ICL065
    eliminates_vector_moves=True,
    folds_additions=False,
    false_inputs=frozenset(),
)
# Where no manual tells: own measurement on an Emerald Rapids server, 200 copies of a block less
# 100, in units of a chain of additions.  So are the latencies to and from memory, what is done
# when renaming, and that no number of instructions in a window was seen to be too large.
SAPPHIRERAPIDS = Cpu(
    name="sapphirerapids",
    issue_width=6,
    window=32,
    predecoded=12,
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
    forward_latency=6,
    renamed_latency=0,
    blocked_latency=19,
    eliminates_moves=True,
    eliminates_vector_moves=True,
    folds_additions=True,
    false_inputs=frozenset(),
)
CPUS: dict[str, Cpu] = {
    cpu.name: cpu for cpu in (SKYLAKE, HASWELL, ICELAKE_SERVER, SAPPHIRERAPIDS)
}
