"""Quotas: how much kernel memory a factory may still give away.

The kernel keeps its objects outside of RAM, so the sizes are conventions: near what the
real kernel takes, and enough to bound what guests can make our host allocate.  An object
is charged to the factory that made it, a mapping and a capability to the factory of the
task that receives it.  A sub-factory's limit is taken from its parent when it is made, and
comes back when it is deleted and everything that it paid for is gone.  Kernel-user memory
is charged by its size.  What boot makes is not charged as an object.
"""

from typing import Optional

KERNEL_MEMORY = 16 << 20  # bytes for objects, beside what maps each frame of RAM once

TASK_BYTES = 8192
THREAD_BYTES = 4096
GATE_BYTES = 128
IRQ_BYTES = 128
SEMAPHORE_BYTES = 128
FACTORY_BYTES = 128
MAPPING_BYTES = 64  # each page
CAP_BYTES = 64


class Quota:
    """What a factory may give away; `closed` once the factory is deleted."""

    __slots__ = ("closed", "limit", "number", "parent", "used")

    def __init__(self, number: int, parent: Optional["Quota"], limit: int) -> None:
        self.number = number  # of its factory
        self.parent = parent
        self.limit = limit
        self.used = 0
        self.closed = False

    def has(self, size: int) -> bool:
        """Answer whether `size` bytes are left."""
        return self.used + size <= self.limit

    def take(self, size: int) -> bool:
        """Charge `size` bytes if there are so many left."""
        if not self.has(size):
            return False
        self.used += size
        return True

    def give_back(self, size: int) -> None:
        """Return `size` bytes that were taken; the last ones of a closed quota free it."""
        quota = self
        quota.used -= size
        while quota.closed and not quota.used and quota.parent is not None:
            quota.closed = False  # once only
            size = quota.limit
            quota = quota.parent
            quota.used -= size

    def close(self) -> None:
        """Its factory is gone: return the limit to the parent as soon as nothing is used."""
        self.closed = True
        self.give_back(0)
