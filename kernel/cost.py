"""What kernel paths cost, in cycles.

Placeholders of the right size until the cost model calibrates them: on a Xeon Gold 6248R
one way of an IPC takes 663 cycles within an address space and 1172 between two, a system
call 155 (figures published by the L4Re project, ABI 10.1).  A thread that fills its
registers and enters the kernel accounts for some of that, the machine for one cycle.
"""

from typing import NamedTuple


class Costs(NamedTuple):
    """Cycles that the kernel works, by what it does."""

    system_call: int = 140  # entry and exit
    transfer: int = 460  # finding the partner and waking it
    word: int = 1  # each message register
    space_switch: int = 500  # another address space runs next
    fault: int = 300  # entry and exit of a page fault or exception
