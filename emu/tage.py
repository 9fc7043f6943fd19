"""A TAGE predictor: branches guessed by what happened before them, longer and longer ago.

After Seznec and Michaud, A case for (partially) TAgged GEometric history length branch
prediction, Journal of Instruction-Level Parallelism 8, 2006; the cores here are said to have
relatives of it, and nobody publishes theirs.  Sizes are chosen: some 25 KB of state.

Rule 1: the history is the core's, of the outcomes of all conditional branches; threads and
spaces share it as they share the tables.
Rule 2: of several free places the one with the shortest history is taken: no chance in it.
"""

from struct import Struct

TABLES = 5
LENGTHS = (5, 12, 30, 75, 190)  # outcomes that each table looks back, nearly geometric
_ENTRIES = 1024  # of a table, a power of two
_RING = 256  # outcomes that are kept, a power of two and more than the longest
_INDEX_BITS = 10
_TAG_BITS = 11
_FOLDS = 3  # of each table: the history in the bits of an index, a tag, and a tag less one
_VALID = 0x8000  # in a tag: there is an entry
_MIDDLE = 4  # of a counter from 0 to 7: taken from here on
_AGEING = 1 << 16  # branches until all entries count as half as useful
_TRUSTED = 8  # of 0 to 15: new entries are worse than what they would replace

_HEAD = Struct("<BBI")
_ENTRY = Struct("<HHBB")


class Tage:
    """The tagged tables of a core; the base prediction is the caller's."""

    __slots__ = (
        "_counters",
        "_folds",
        "_head",
        "_left",
        "_lengths",
        "_outs",
        "_places",
        "_quiet",
        "_ring",
        "_same",
        "_tags",
        "_trust",
        "_useful",
        "_wanted",
        "_widths",
    )

    def __init__(self) -> None:
        entries = TABLES * _ENTRIES
        self._tags = memoryview(bytearray(2 * entries)).cast("H")
        self._counters = memoryview(bytearray(entries))
        self._useful = memoryview(bytearray(entries))
        self._folds = memoryview(bytearray(4 * TABLES * _FOLDS)).cast("I")
        self._lengths = memoryview(bytearray(4 * TABLES)).cast("I")
        self._widths = memoryview(bytearray(4 * _FOLDS)).cast("I")
        for kind, width in enumerate((_INDEX_BITS, _TAG_BITS, _TAG_BITS - 1)):
            self._widths[kind] = width
        self._outs = memoryview(bytearray(4 * TABLES * _FOLDS)).cast("I")
        for table in range(TABLES):
            self._lengths[table] = LENGTHS[table]
            for kind in range(_FOLDS):
                self._outs[table * _FOLDS + kind] = LENGTHS[table] % self._widths[kind]
        self._ring = memoryview(bytearray(_RING))  # outcomes, the last one at
        self._head = 0
        self._trust = _TRUSTED
        self._left = _AGEING
        # How many outcomes up to the last one are the same; once all that are kept are,
        # one more changes nothing.
        self._same = _RING
        # A branch that found and left all as it is when all of them were; 0: none is known.
        self._quiet = 0
        # Of the branch at hand, by table; here so that nothing is made for each branch.
        self._places = memoryview(bytearray(4 * TABLES)).cast("I")
        self._wanted = memoryview(bytearray(2 * TABLES)).cast("H")

    def forget(self) -> None:
        """Know nothing any more, as at first."""
        for at in range(TABLES * _ENTRIES):
            self._tags[at] = self._counters[at] = self._useful[at] = 0
        for at in range(TABLES * _FOLDS):
            self._folds[at] = 0
        for at in range(_RING):
            self._ring[at] = 0
        self._head = 0
        self._trust = _TRUSTED
        self._left = _AGEING
        self._same = _RING
        self._quiet = 0

    def guess(self, branch: int, taken: int, base: int, is_sure: int) -> int:
        """Guess the branch that ends at an address, then learn its outcome.

        `base` is what is guessed without history; `is_sure`: and that is the guess.
        """
        if branch == self._quiet and taken == base == self._ring[self._head]:
            self._left -= 1
            if self._left == 0:
                self._age()
            return taken
        self._quiet = 0
        # Compiled, a view in a variable costs more than to look for it each time.
        provider = alternate = -1
        key = (branch ^ branch >> _INDEX_BITS) & 0xFFFF_FFFF
        for table in range(TABLES - 1, -1, -1):
            fold = table * _FOLDS
            at = (key ^ branch >> (table + 1) ^ self._folds[fold]) & (_ENTRIES - 1)
            at += table * _ENTRIES
            tag = (key ^ self._folds[fold + 1] ^ self._folds[fold + 2] << 1) & (
                (1 << _TAG_BITS) - 1
            )
            tag |= _VALID
            self._places[table] = at
            self._wanted[table] = tag
            if self._tags[at] == tag:
                if provider < 0:
                    provider = table
                elif alternate < 0:
                    alternate = table

        answer = mine = other = base
        is_settled = True
        if provider >= 0:
            at = self._places[provider]
            counter = self._counters[at]
            is_settled = counter == (7 if taken else 0)
            mine = 1 if counter >= _MIDDLE else 0
            if alternate >= 0:
                other = 1 if self._counters[self._places[alternate]] >= _MIDDLE else 0
            answer = mine
            if self._useful[at] == 0 and (counter == _MIDDLE or counter == _MIDDLE - 1):
                if self._trust >= _TRUSTED:
                    answer = other
                if mine != other:
                    if other == taken:
                        self._trust += self._trust < 15
                    else:
                        self._trust -= self._trust > 0
            if mine != other:
                if mine == taken:
                    self._useful[at] += self._useful[at] < 3
                else:
                    self._useful[at] -= self._useful[at] > 0
            if taken:
                self._counters[at] = counter + 1 if counter < 7 else 7
            else:
                self._counters[at] = counter - 1 if counter > 0 else 0
        if is_sure:
            answer = base
        if answer != taken:
            self._allocate(provider + 1, taken)
        self._left -= 1
        if self._left == 0:
            self._age()
        if self._same < _RING or taken != self._ring[self._head]:
            self._remember(taken)
        elif is_settled and mine == other == base == taken:
            self._quiet = branch
        return answer

    def _allocate(self, first: int, taken: int) -> int:
        """Let a table of a longer history know the branch at hand."""
        for table in range(first, TABLES):
            at = self._places[table]
            if self._useful[at] == 0:
                self._tags[at] = self._wanted[table]
                self._counters[at] = _MIDDLE if taken else _MIDDLE - 1
                return 0
        for table in range(first, TABLES):
            self._useful[self._places[table]] -= 1
        return 0

    def _age(self) -> int:
        for at in range(TABLES * _ENTRIES):
            self._useful[at] >>= 1
        self._left = _AGEING
        self._quiet = 0
        return 0

    def _remember(self, taken: int) -> int:
        """Add an outcome to the history, and to its foldings in a step each."""
        self._same = self._same + 1 if taken == self._ring[self._head] else 1
        head = (self._head + 1) & (_RING - 1)
        self._head = head
        self._ring[head] = taken
        for table in range(TABLES):
            gone = self._ring[(head - self._lengths[table]) & (_RING - 1)]
            at = table * _FOLDS
            for kind in range(_FOLDS):
                width = self._widths[kind]
                fold = self._folds[at + kind] << 1 | taken
                fold ^= gone << self._outs[at + kind]
                fold ^= fold >> width
                self._folds[at + kind] = fold & ((1 << width) - 1)
        return 0

    def freeze(self) -> bytes:
        """Encode what there is, without the entries that nothing used."""
        parts = [_HEAD.pack(self._head, self._trust, self._left)]
        parts += [bytes(self._ring), bytes(self._folds)]
        for at in range(TABLES * _ENTRIES):
            if self._tags[at]:
                parts.append(
                    _ENTRY.pack(at, self._tags[at], self._counters[at], self._useful[at])
                )
        return b"".join(parts)

    def thaw(self, data: bytes) -> bool:
        """Take over what `freeze` gave; false if it did not."""
        start = _HEAD.size + _RING + 4 * TABLES * _FOLDS
        if len(data) < start or (len(data) - start) % _ENTRY.size:
            return False
        head, trust, left = _HEAD.unpack_from(data)
        if trust > 15 or not 0 < left <= _AGEING:
            return False
        ring = data[_HEAD.size : _HEAD.size + _RING]
        if any(outcome > 1 for outcome in ring):
            return False
        for at, tag, counter, useful in _ENTRY.iter_unpack(data[start:]):
            if at >= TABLES * _ENTRIES or not tag & _VALID or counter > 7 or useful > 3:
                return False
            self._tags[at], self._counters[at], self._useful[at] = tag, counter, useful
        self._head, self._trust, self._left = head, trust, left
        self._quiet = 0
        self._same = _same_at_end(ring, head)
        for at, outcome in enumerate(ring):
            self._ring[at] = outcome
        for at, fold in enumerate(memoryview(data[_HEAD.size + _RING : start]).cast("I")):
            self._folds[at] = fold
        return True


def _same_at_end(ring: bytes, head: int) -> int:
    same = 1
    while same < _RING and ring[(head - same) % _RING] == ring[head]:
        same += 1
    return same
