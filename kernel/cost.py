"""What kernel paths cost, in cycles.

Placeholders of the right size until the cost model calibrates them: on a Xeon Gold 6248R
one way of an IPC takes 663 cycles within an address space and 1172 between two, a system
call 155 (figures published by the L4Re project, ABI 10.1).  A thread that fills its
registers and enters the kernel accounts for some of that, the machine for one cycle.
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
        system_call: int = 140,
        transfer: int = 460,
        word: int = 1,
        space_switch: int = 500,
        fault: int = 300,
        mapping: int = 100,
        creation: int = 1500,
    ) -> None:
        self.system_call = system_call  # entry and exit
        self.transfer = transfer  # finding the partner and waking it
        self.word = word  # each message register
        self.space_switch = space_switch  # another address space runs next
        self.fault = fault  # entry and exit of a page fault or exception
        self.mapping = mapping  # each page or capability that is mapped or unmapped
        self.creation = creation  # making or deleting an object

    def values(self) -> tuple[tuple[str, int], ...]:
        """List what each costs by its name."""
        return tuple((name, getattr(self, name)) for name in sorted(self.__slots__))
