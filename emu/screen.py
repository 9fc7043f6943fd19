"""A screen: a state for every byte of some memory, which accesses move by a table.

It looks at every access at a fraction of what recording costs, for code that mostly
accesses other memory, and tells which are worth a second run that is watched.

Rule 1: a report is a hint.  The emulator shows accesses to such memory in parts of up to
four bytes, and an unaligned read as the aligned words that it lies in; neither the ip nor
the instruction is known.  What an instruction accessed before it faulted counts, too.
Rule 2: the states are the caller's: whoever else writes the memory says so by setting them.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from emu.errors import BadConfigError

REPORT = 0x100  # in an entry of the table, beside the next state
READS, WRITES = 0, 256  # where the entries for each kind begin, by state
CAPACITY = 4096  # reports

_REPORT, _WRITES = REPORT, WRITES  # the compiled module has these as C values
_JOINED = 8  # the most bytes of parts that are taken for one access
_STATE = 0xFF
_NOBODY = -1


class Report(NamedTuple):
    """An access that the table wants to be reported."""

    context: int
    address: int  # physical, of the first byte that asked for it
    size: int
    is_write: bool
    state: int  # of that first byte, before


class Screen:
    """The states, and the reports that were not taken yet."""

    __slots__ = (
        "_address",
        "_base",
        "_capacity",
        "_context",
        "_full",
        "_is_write",
        "_memory",
        "_origin",
        "_reports",
        "_size",
        "_state",
        "_states",
        "_table",
        "_when",
        "addresses",
        "states",
    )

    def __init__(
        self,
        addresses: range,
        memory: memoryview,
        origin: int,
        table: Sequence[int],
        full: Callable[[list[Report]], None],
    ) -> None:
        if len(table) != 512 or not all(0 <= entry < 2 * REPORT for entry in table):
            raise BadConfigError("a table of 512 states, 256 for reads and 256 for writes")
        self.addresses = addresses
        self.states = memoryview(bytearray(len(addresses)))
        self._states = self.states
        self._memory = memory  # the bytes from the physical address `origin` on
        self._origin = origin
        self._base = addresses.start
        self._table = memoryview(bytearray(512 * 2)).cast("H")
        for index, entry in enumerate(table):
            self._table[index] = entry
        self._full = full
        self._capacity = CAPACITY
        self._reports: list[Report] = []
        # The last report, which the next part of the same access may join.
        self._context = _NOBODY
        self._address = self._size = self._state = self._when = 0
        self._is_write = False

    def read(self, address: int, size: int, context: int, when: int) -> int:
        """Read for a CPU; `when` tells parts of one access from other accesses."""
        at = address - self._origin
        value = 0
        for index in range(size):
            value |= self._memory[at + index] << 8 * index
        self._move(0, address, size, context, when)
        return value

    def write(self, address: int, size: int, value: int, context: int, when: int) -> None:
        """Write for a CPU."""
        at = address - self._origin
        for index in range(size):
            self._memory[at + index] = value >> 8 * index & 0xFF
        self._move(_WRITES, address, size, context, when)

    def drain(self) -> list[Report]:
        """Take all reports that were not taken yet, in the order of the accesses."""
        self._close()
        found, self._reports = self._reports, []
        return found

    def _move(self, kind: int, address: int, size: int, context: int, when: int) -> None:
        at = address - self._base
        first = last = -1
        state = 0
        for index in range(size):
            before = self._states[at + index]
            entry = self._table[kind + before]
            self._states[at + index] = entry & _STATE
            if entry & _REPORT:
                if first < 0:
                    first, state = index, before
                last = index
        if first >= 0:
            self._report(kind, address + first, last - first + 1, context, when, state)

    def _report(
        self, kind: int, address: int, size: int, context: int, when: int, state: int
    ) -> None:
        is_write = kind == _WRITES
        if (
            self._context == context
            and self._when == when
            and self._is_write == is_write
            and self._address + self._size == address
            and self._size + size <= _JOINED
        ):
            self._size += size
            return
        self._close()
        self._context = context
        self._when = when
        self._is_write = is_write
        self._address = address
        self._size = size
        self._state = state

    def _close(self) -> None:
        """Enter the last report: nothing joins it any more."""
        if self._context == _NOBODY:
            return
        fields = self._context, self._address, self._size, self._is_write, self._state
        self._context = _NOBODY
        self._reports.append(Report(*fields))
        if len(self._reports) >= self._capacity:
            batch, self._reports = self._reports, []
            self._full(batch)
