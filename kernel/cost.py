"""What kernel paths cost, in cycles.

Calibrated on what the L4Re project publishes of Fiasco on a Xeon Gold 6248R without
hyper-threads, in core cycles with the benchmark's own user code: one direction of an IPC
takes 663 within an address space (557 instructions) and 1172 between two (613), a system
call 155 (147; the raw log, its summary has 146).  `bench.kernel_paths` runs a guest of the same
shape on the Skylake model and finds 663.0, 1171.9 and 154.5.  Three figures give three
costs: `system_call`, `transfer` and `space_switch`.

The others are assumed:
* `word`: a load and a store, and no more than one store goes to the cache in a cycle (Intel,
  64 and IA-32 Architectures Optimization Reference Manual, "Skylake Client Microarchitecture").
* `fault`: entry and exit by an interrupt gate and `iret`, for which 300 to 700 cycles are said
  and nobody gives a measurement; the message to the handler is charged like any other.
* `mapping`, `creation`: nothing is published; the first is a walk of the page table and of the
  mapping database, the second fills some pages.
"""


class Costs:
    """Cycles that the kernel works, by what it does."""

    __slots__ = (
        "creation",
        "fault",
        "mapping",
        "space_switch",
        "system_call",
        "transfer",
        "word",
    )

    def __init__(
        self,
        *,
        system_call: int = 152,
        transfer: int = 508,
        word: int = 1,
        space_switch: int = 509,
        fault: int = 300,
        mapping: int = 100,
        creation: int = 1500,
    ) -> None:
        self.system_call = system_call  # entry and exit
        self.transfer = transfer  # finding the partner and waking it
        self.word = word  # each message register
        self.space_switch = space_switch  # another address space runs next: its TLB is cold
        self.fault = fault  # entry and exit of a page fault or exception
        self.mapping = mapping  # each page or capability that is mapped or unmapped
        self.creation = creation  # making or deleting an object

    def values(self) -> tuple[tuple[str, int], ...]:
        """List what each costs by its name."""
        return tuple((name, getattr(self, name)) for name in sorted(self.__slots__))
