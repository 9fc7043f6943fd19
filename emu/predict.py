"""Branch prediction: which conditional branches the core would have guessed wrong.

Rule 1: the tables belong to the machine, as those of a core do: they are indexed by address,
and threads and spaces share them.
Rule 2: a branch is judged when the thread's next block is charged, which tells where it
went; a wrong guess is part of what that block costs.

A branch is guessed by two bits that count its outcomes, as in the first predictors with
memory; and by the lengths of its runs, as loops are: if taken ends three times in a row
after the same number of times, it is expected to end there again, and so is not taken.
With a `Tage`, that is its base, and the last word where a loop is known.
Calls, returns and indirect jumps are taken to be guessed right.
"""

from emu.tage import Tage

SLOTS = 4096  # branches that are told apart, a power of two
_FIELDS = 8  # 16-bit words of a slot, which are:
RUN = 0  # outcomes like the last one, in a row
LIMIT = 1  # below this length of the run, one more outcome like it changes nothing else
_LENGTH = 2  # of the last run of not taken, and behind it of taken
_COUNTER = 4  # 0 to 3, with 0 and 1 exchanged so that a new branch begins at 1
LAST = 5  # the last outcome: whether it was taken
_SURE = 6  # how often the lengths were the same again, up to _MOST_SURE

# Compiled, these are C's own integers, which nobody can import.
_RUN, _LIMIT, _LAST = RUN, LIMIT, LAST
_MASK = SLOTS - 1

LONGEST = 0x7FFF  # runs are counted up to here, and such lengths are not learned
_LONGEST = LONGEST
_NO_LIMIT = 0xFFFF
_MOST_SURE = 3
_SURE_ENOUGH = 2
_LONG = 16  # a loop of so many rounds is known better by its length than by a history


class Predictor:
    """What a core remembers of its conditional branches."""

    __slots__ = ("_bytes", "penalty", "slots", "tage")

    def __init__(self, penalty: int, tage: Tage | None = None) -> None:
        self.tage = tage
        self.penalty = penalty  # ticks that a wrong guess costs
        self._bytes = bytearray(SLOTS * _FIELDS * 2)
        self.slots = memoryview(self._bytes).cast("H")

    def judge(self, branch: int, taken: int) -> int:
        """Learn the outcome of the branch that ends at an address; give what it costs."""
        told = self._learn(branch, taken)
        guess = told & 1
        if self.tage is not None:
            guess = self.tage.guess(branch, taken, guess, told >> 1)
        return 0 if guess == taken else self.penalty

    def _learn(self, branch: int, taken: int) -> int:
        """Learn it without a history; give what was guessed, and 2 more if it is a loop."""
        slots = self.slots
        at = slot_of(branch)
        last = slots[at + _LAST]
        run = slots[at + _RUN]
        if taken == last and run < slots[at + _LIMIT]:
            if run < _LONGEST:
                slots[at + _RUN] = run + 1
            is_sure = slots[at + _LIMIT] >= _LONG and slots[at + _SURE + last] == _MOST_SURE
            return taken | 2 if is_sure else taken
        counter = slots[at + _COUNTER]
        if counter < 2:
            counter = 1 - counter
        guess = counter >> 1
        sure = slots[at + _SURE + last]
        length = slots[at + _LENGTH + last]
        told = guess
        if sure >= _SURE_ENOUGH and run <= length:
            told = last if run < length else 1 - last
            if sure == _MOST_SURE and length >= _LONG:
                told |= 2
        if taken:
            counter = counter + 1 if counter < 3 else 3
        else:
            counter = counter - 1 if counter > 0 else 0
        if taken == last:
            if run < _LONGEST:
                run += 1
            if run > length:
                slots[at + _SURE + last] = 0
        else:
            if run != length or run == _LONGEST:
                slots[at + _LENGTH + last] = run
                slots[at + _SURE + last] = 0
            elif sure < _MOST_SURE:
                slots[at + _SURE + last] = sure + 1
            run = 1
        limit = 0
        if counter == (3 if taken else 0):
            limit = slots[at + _LENGTH + taken] if slots[at + _SURE + taken] else _NO_LIMIT
        slots[at + _RUN] = run
        slots[at + _LIMIT] = limit
        slots[at + _LAST] = taken
        slots[at + _COUNTER] = 1 - counter if counter < 2 else counter
        return told

    def forget(self) -> None:
        """Know nothing any more, as at first."""
        self._bytes[:] = bytes(len(self._bytes))
        if self.tage is not None:
            self.tage.forget()

    def freeze(self) -> bytes:
        """Encode what there is, without the slots that nothing used."""
        own = self._freeze()
        if self.tage is None:
            return own
        return len(own).to_bytes(4, "little") + own + self.tage.freeze()

    def thaw(self, data: bytes) -> bool:
        """Take over what `freeze` gave; false if it did not."""
        if self.tage is None:
            return self._thaw(data)
        size = int.from_bytes(data[:4], "little")
        return self._thaw(data[4 : 4 + size]) and self.tage.thaw(data[4 + size :])

    def _freeze(self) -> bytes:
        raw = self._bytes
        size = _FIELDS * 2
        parts = []
        for number in range(SLOTS):
            slot = bytes(raw[number * size : (number + 1) * size])
            if any(slot):
                parts.append(number.to_bytes(2, "little") + slot)
        return b"".join(parts)

    def _thaw(self, data: bytes) -> bool:
        size = 2 + _FIELDS * 2
        if len(data) % size:
            return False
        for at in range(0, len(data), size):
            number = int.from_bytes(data[at : at + 2], "little")
            slot = data[at + 2 : at + size]
            last = int.from_bytes(slot[LAST * 2 : LAST * 2 + 2], "little")
            if number >= SLOTS or last > 1:
                return False
            self._bytes[number * _FIELDS * 2 : (number + 1) * _FIELDS * 2] = slot
        return True


def slot_of(branch: int) -> int:
    """Give the index of the first word of a branch's slot."""
    return ((branch ^ branch >> 12) & _MASK) * _FIELDS
