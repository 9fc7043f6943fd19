"""The blocks of one address space and what translations of them cost.

A block is ours, a *translation* is what the emulator makes of code, and the two need not
agree: a translation may end inside a block (the emulator's own limits) and may run past
a page end into further blocks.  A `Cover` says, for a translation seen at an address,
what to charge when it starts and what may come next.

Rule 1: a block is charged whole when its first instruction starts; only there is the
deadline tested, before the charge.
Rule 2: a translation that goes on inside a block charges and tests nothing for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from emu.cost import Cost, CostModel
from emu.decode import LONGEST, End, Shape, decode, lengths_for
from emu.memory import PAGE

NOWHERE = -1  # no address

# Instructions that all cached blocks may have together, some 40 MB: a program can enter
# its code at every byte, and each is a block of its own up to the page end.
_CACHE_LIMIT = 1 << 20
_DECODED = 1 << 12  # blocks of a space that are known to be executed; a core has less room
_BLOCK_WEIGHT = 16  # what a block takes besides, in instructions


class Block:
    """One block at its place; a value, but a dataclass cannot be compiled to a type."""

    __slots__ = (
        "again",
        "branch",
        "count",
        "counter_mask",
        "end",
        "first",
        "last",
        "offsets",
        "raises",
        "repetition",
        "start",
        "stop",
        "ticks",
    )

    def __init__(self, start: int, shape: Shape, cost: Cost) -> None:
        self.start = start
        self.offsets = shape.offsets
        self.stop = start + shape.size  # the address after it
        self.end = shape.end
        self.raises = shape.raises
        self.ticks = cost.once
        self.first = cost.first  # of the first execution of all; 0: like the others
        self.again = cost.again  # ticks if the thread's previous block was this one
        self.repetition = cost.repetition  # ticks of each one after the first, of a REPEAT
        self.counter_mask = shape.counter_mask
        self.count = len(shape.offsets)  # of its instructions
        self.last = start + shape.offsets[self.count - 1]  # the address of its last one
        self.branch = self.stop if cost.is_guessed else 0  # the end of one that is guessed

    def index_of(self, address: int) -> int:
        """Give the index of the instruction at `address`, or NOWHERE."""
        offset = address - self.start
        try:
            return self.offsets.index(offset)
        except ValueError:
            return NOWHERE


@dataclass(frozen=True, slots=True)
class Cover:
    """What a translation of `size` bytes means for the clock."""

    size: int
    fits: bool  # false: execute this block instruction by instruction
    charged: tuple[Block, ...]  # the blocks that start in it
    ticks: int
    more: int  # further ticks if the first of them follows itself
    count: int
    # Ticks before the last deadline test in it, counted from its start and without `more`;
    # NOWHERE: no test.
    margin: int
    after: int  # where a following translation goes on inside the last block, or NOWHERE
    inside: Block  # that last block
    repeats: bool  # `after` is a string instruction at each further repetition


K = TypeVar("K", contravariant=True)
V = TypeVar("V", contravariant=True)


class Map(Protocol[K, V]):
    """What a block table needs of a dictionary; a runner may have its own."""

    def __setitem__(self, key: K, value: V, /) -> None:
        """Enter a value."""

    def pop(self, key: K, default: None, /) -> object:
        """Take a value out if there is one."""

    def clear(self) -> None:
        """Take everything out."""


# The maps `simple`, `covers` and `tails` of a block table.
Maps: TypeAlias = tuple[
    Map[int, tuple[int, int, int, int, int]], Map[int, Cover], Map[tuple[int, int], Cover]
]


class Decoder:
    """Makes blocks of bytes; keeps what it learned, for all spaces."""

    __slots__ = (
        "_cost",
        "_create_maps",
        "_lengths",
        "_memo",
        "_tables",
        "_weight",
        "is_amd64",
    )

    def __init__(
        self, *, is_amd64: bool, cost: CostModel, create_maps: Callable[[], Maps]
    ) -> None:
        self.is_amd64 = is_amd64
        self._cost = cost
        self._create_maps = create_maps
        self._lengths = lengths_for(is_amd64=is_amd64)
        self._memo: dict[tuple[bytes, int, int], tuple[Shape, Cost]] = {}
        self._tables: list[BlockTable] = []
        self._weight = 0

    def create_table(self, fetch: Callable[[int, int], bytes]) -> "BlockTable":
        """Make a table that uses `fetch(address, size)` to read what can be executed."""
        table = BlockTable(self, fetch, self._create_maps())
        self._tables.append(table)
        return table

    def destroy_table(self, table: "BlockTable") -> None:
        """Forget a table."""
        self._tables.remove(table)

    def admit(self, instructions: int) -> None:
        """Make room for a block in a table, dropping everything when there is none."""
        self._weight += instructions + _BLOCK_WEIGHT
        if self._weight > _CACHE_LIMIT:
            self._weight = instructions + _BLOCK_WEIGHT
            self._memo.clear()
            for table in self._tables:
                table.forget()

    def block(self, start: int, code: bytes) -> Block | None:
        """Make the block that begins at `start` with the fetchable bytes `code`."""
        room = PAGE - start % PAGE
        shape = decode(code, room, self._lengths, is_amd64=self.is_amd64)
        if shape is None:
            return None
        own = code[: shape.size]
        key = (own, start % 64, len(shape.offsets))
        known = self._memo.get(key)
        if known is None or known[0] != shape:
            known = self._memo[key] = (shape, self._cost(shape, own, start % 64))
        shape, cost = known
        return Block(start, shape, cost)


class BlockTable:
    """The blocks of one address space, by address, and their translations.

    `simple` is the hot path's: a translation that is exactly one block, as
    (size, ticks, ticks if it follows itself, count, `branch`).  All other translations are in
    `covers`, and those that begin inside a block in `tails`, by (address, end of the block).
    """

    __slots__ = (
        "_blocks",
        "_decoder",
        "_fetch",
        "breaks",
        "covers",
        "decoded",
        "simple",
        "tails",
    )

    def __init__(
        self, decoder: Decoder, fetch: Callable[[int, int], bytes], maps: Maps
    ) -> None:
        self._decoder = decoder
        self._fetch = fetch
        self._blocks: dict[int, Block | None] = {}
        self.breaks: frozenset[int] = frozenset()  # blocks with one of these are walked
        # Starts of blocks that were executed, where that counts.  No translation is entered
        # in the maps before all its blocks were: those are charged by the stepper.
        self.decoded: set[int] = set()
        self.simple, self.covers, self.tails = maps

    def forget(self) -> None:
        """Drop everything: code or its mapping changed."""
        self._blocks.clear()
        self.simple.clear()
        self.covers.clear()
        self.tails.clear()

    def is_first(self, block: Block) -> bool:
        """Tell whether the block's next execution is the first, and costs what that does."""
        return block.first != 0 and block.start not in self.decoded

    def take_in(self, block: Block) -> None:
        """Take note that a block is executed, forgetting all others when there is no room."""
        if len(self.decoded) >= _DECODED:
            self.decoded.clear()
            self.forget()
        self.decoded.add(block.start)

    def cached(self) -> list[Block | None]:
        """List what is known at the moment."""
        return list(self._blocks.values())

    def block(self, address: int) -> Block | None:
        """Give the block that starts at `address`; None if nothing can be fetched there."""
        try:
            return self._blocks[address]
        except KeyError:
            size = PAGE - address % PAGE + LONGEST
            block = self._decoder.block(address, self._fetch(address, size))
            self._decoder.admit(0 if block is None else block.count)
            self._blocks[address] = block
            return block

    def learn(self, address: int, size: int) -> bool:
        """Enter a translation that starts a block; false if that has to be walked."""
        block = self.block(address)
        if block is None or self.is_first(block):
            return False
        self.simple.pop(address, None)
        self.covers.pop(address, None)
        if block.end is End.SPECIAL or self._breaks(block):
            self.covers[address] = Cover(
                size, False, (block,), 0, 0, 0, 0, NOWHERE, block, repeats=False
            )
            return True
        cover = self._cover(address, size, block, fresh=True)
        if cover is None:
            return False
        if cover.after == NOWHERE and len(cover.charged) == 1 and cover.fits:
            self.simple[address] = (size, block.ticks, block.again, block.count, block.branch)
        else:
            self.covers[address] = cover
        return True

    def learn_tail(self, address: int, size: int, inside: Block) -> bool:
        """Enter a translation that begins inside a block; false if that has to be walked."""
        cover = self._cover(address, size, inside, fresh=False)
        if cover is not None:
            self.tails[address, inside.stop] = cover
        return cover is not None

    def _breaks(self, block: Block) -> bool:
        breaks = self.breaks
        return bool(breaks) and any(block.start + at in breaks for at in block.offsets)

    def _cover(self, address: int, size: int, block: Block, *, fresh: bool) -> Cover | None:
        """Say what a translation means; None if one of its blocks was never executed."""
        finish = address + size
        charged = [block] if fresh else []
        margin = 0 if fresh else NOWHERE
        ticks = block.ticks if fresh else 0
        more = block.again - block.ticks if fresh else 0
        fits = not self._breaks(block)
        # Only a block that ends at a page end has its successor in the same translation.
        while block.end is End.PAGE and finish > block.stop:
            following = self.block(block.stop)
            if following is None or following.end is End.SPECIAL or self._breaks(following):
                fits = False
                break
            if self.is_first(following):
                return None
            margin = ticks
            block = following
            charged.append(block)
            ticks += block.ticks
        if finish > block.last and (block.end is End.SPECIAL or finish != block.stop):
            # Not to be translated with others; or the emulator sees other instructions
            # here than the decoder.
            fits = False
        if finish <= block.last and fits:
            after, repeats = finish, False
        elif block.end is End.REPEAT:
            after, repeats = block.last, True
        else:
            after, repeats = NOWHERE, False
        count = sum(each.count for each in charged)
        return Cover(
            size, fits, tuple(charged), ticks, more, count, margin, after, block, repeats
        )
