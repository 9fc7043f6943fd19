"""Records of accesses to a range of physical memory, as a runner's hooks make them.

Rule 1: a record says what an instruction did.  Reads are those of instructions that
completed; what an instruction read before it faulted, it reads again.  Writes are
recorded when they happen, so that the records of writes give the memory's content.
Rule 2: an access that crosses a page end is one record in each page, since the pages may
be anywhere; all other accesses are one record, but for the 16 bytes of an SSE register,
which are two.
Rule 3: records are handed out between two blocks only, so that all of a batch is final.
"""

from collections.abc import Callable
from typing import NamedTuple

from emu.blocks import NOWHERE, Block, BlockTable
from emu.calls import Calls
from emu.memory import PAGE
from emu.tally import Tally

CAPACITY = 4096  # records; those of one block may go beyond

# The words of a record, as `rows` has them.
POSITION, IP, ADDRESS, VALUE, KIND, CONTEXT, PATH, LOW = range(8)
FIELDS = 8
WRITE = 256  # in KIND, beside the size
_FIELDS, _WRITE = FIELDS, WRITE  # the compiled module has these as C values
_ALL = 0xFFFF_FFFF_FFFF_FFFF
_LONGEST = PAGE + 1  # instructions of a block, at most


class Access(NamedTuple):
    """One access, in one page."""

    position: int  # instructions completed before the one that accessed
    context: int
    ip: int
    address: int  # physical
    size: int
    value: int
    is_write: bool
    path: int  # the calls it was made in, a number for `Watch.frames`
    low: int  # the least number of frames since the record before of the same context


_create = tuple.__new__  # a third of the time that `Access` itself takes


class Recorder:
    """A buffer of records, filled by the hooks of a runner."""

    __slots__ = (
        "_base",
        "_block_start",
        "_capacity",
        "_count",
        "_first",
        "_full",
        "_mark",
        "_offsets",
        "_origin",
        "_second",
        "_size",
        "_words",
        "at",
        "calls",
        "rows",
        "tally",
        "used",
    )

    def __init__(
        self,
        calls: Calls,
        addresses: range,
        words: memoryview,
        origin: int,
        second: Callable[[int, int, int, bool], int],
        full: Callable[[list[Access]], None],
    ) -> None:
        self.calls = calls
        self.tally: Tally | None = None
        self.at = 0  # while stepping: the position of the instruction
        self._base = addresses.start
        self._size = len(addresses)
        self._words = words  # of 64 bits, from the physical address `origin` on
        self._origin = origin
        # Gives the page behind a page that an access begins in, from the context's number,
        # the physical address, the ip and whether it is a write; NOWHERE if the CPU will
        # find none that it may access.
        self._second = second
        self._full = full
        self._capacity = CAPACITY
        self.rows = memoryview(bytearray(2 * CAPACITY * _FIELDS * 8)).cast("Q")
        self.used = 0
        self._mark = 0  # records before the translation that runs
        # The block that was asked for last: where it is and where its instructions are.
        self._block_start = NOWHERE
        self._first = self._count = 0
        self._offsets = memoryview(bytearray(_LONGEST * 2)).cast("H")

    def begin(self) -> None:
        """Take note that a translation starts: what there is is final."""
        if self.used >= self._capacity:
            self._full(self.drain())
        self._mark = self.used

    def begin_again(self) -> None:
        """Take note that a translation starts anew: nothing of it was done."""
        self.used = self._mark

    def forget_block(self) -> None:
        """Take note that blocks may have changed."""
        self._block_start = NOWHERE

    def undo(self, ip: int) -> None:
        """Drop what the instruction at `ip` read: it faulted."""
        records = self.rows
        kept = self._mark
        for number in range(self._mark, self.used):
            at = number * _FIELDS
            if records[at + 1] == ip and not records[at + 4] & _WRITE:
                continue
            to = kept * _FIELDS
            for field in range(_FIELDS):
                records[to + field] = records[at + field]
            kept += 1
        self.used = kept

    def load_again(self) -> None:
        """Take what the last translation wrote from memory: it was corrected there."""
        records = self.rows
        for number in range(self._mark, self.used):
            at = number * _FIELDS
            kind = records[at + 4]
            if kind & _WRITE:
                records[at + 3] = self._load(records[at + 2], kind & (_WRITE - 1))

    def position(
        self, total: int, start: int, chain: tuple[Block, ...], blocks: BlockTable, ip: int
    ) -> int:
        """Give the position of the instruction at `ip`, somewhere in what is charged.

        That is `chain`, or if it is empty the block at `start`; with all of it completed,
        `total` instructions are.
        """
        if chain:
            self._block_start = NOWHERE
            for block in reversed(chain):
                self._show(block)
                if block.start <= ip < block.stop:
                    break
                total -= self._count
        elif start != self._block_start:
            one = blocks.block(start)
            assert one is not None, "what was charged is a block"
            self._show(one)
            self._block_start = start
        # The last instruction that begins at or before the ip.
        offset = ip - self._first
        below, above = 0, self._count
        while above - below > 1:
            middle = (below + above) >> 1
            if self._offsets[middle] <= offset:
                below = middle
            else:
                above = middle
        return total - self._count + below

    def access(
        self, is_write: bool, address: int, size: int, value: int, ip: int, position: int
    ) -> None:
        """Record what the CPU is about to do."""
        room = PAGE - (address & (PAGE - 1))
        if size > room:
            second = self._second(self.calls.number, address, ip, is_write)
            if second != NOWHERE:
                self._part(is_write, address, room, value, ip, position)
                value = (value & _ALL) >> (8 * room)
                self._part(is_write, second, size - room, value, ip, position)
        else:
            self._part(is_write, address, size, value, ip, position)

    def drain(self) -> list[Access]:
        """Give all records, and forget them."""
        records = self.rows
        found: list[Access] = []
        for number in range(self.used):
            at = number * _FIELDS
            kind = records[at + 4]
            fields = (
                records[at],
                records[at + 5],
                records[at + 1],
                records[at + 2],
                kind & (_WRITE - 1),
                records[at + 3],
                kind >= _WRITE,
                records[at + 6],
                records[at + 7],
            )
            found.append(_create(Access, fields))
        self.clear()
        return found

    def clear(self) -> None:
        """Forget all records: `rows` has been read up to `used`."""
        self.used = self._mark = 0

    def _part(
        self, is_write: bool, address: int, size: int, value: int, ip: int, position: int
    ) -> None:
        if not 0 <= address - self._base < self._size:
            return
        records, calls = self.rows, self.calls
        at = self.used * _FIELDS
        if at == len(records):
            records = self._grow()
        self.used += 1
        kind = size
        if is_write:
            kind += _WRITE
            value &= _ALL >> (64 - 8 * size)
        else:
            value = self._load(address, size)
        records[at] = position
        records[at + 1] = ip
        records[at + 2] = address
        records[at + 3] = value
        records[at + 4] = kind
        records[at + 5] = calls.number
        records[at + 6] = calls.path
        records[at + 7] = calls.low
        calls.low = calls.depth

    def _load(self, address: int, size: int) -> int:
        at = address - self._origin
        shift = (at & 7) * 8
        value = self._words[at >> 3] >> shift
        if shift + 8 * size > 64:
            value |= self._words[(at >> 3) + 1] << (64 - shift)
        return value & _ALL >> (64 - 8 * size)

    def _grow(self) -> memoryview:
        # The records of one block: an instruction for each byte of a page at the worst.
        size = len(self.rows)
        records = memoryview(bytearray(2 * size * 8)).cast("Q")
        records[:size] = self.rows
        self.rows = records
        return records

    def _show(self, block: Block) -> None:
        self._first = block.start
        self._count = len(block.offsets)
        for index, offset in enumerate(block.offsets):
            self._offsets[index] = offset
