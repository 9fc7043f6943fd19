"""The kernel's view of a UTCB, read and written where it lies in guest memory.

It holds no copy: what the guest writes is what the next system call sees.
"""

from kernel import utcb

# Up to here words are copied one by one, since to set up a copy of a slice takes longer.
# Interpreted, that is soon no longer true.
_FEW = 4 if __file__.endswith(".py") else 16


class Utcb:
    """One thread's UTCB as 128 words over the machine's memory.

    A UTCB is kernel memory, mapped for as long as its thread lives, so no access can
    fault.  Values are unsigned words of the machine's size.
    """

    __slots__ = ("narrow", "raw", "raw_view", "wide", "word", "words")

    def __init__(self, words: memoryview) -> None:
        assert len(words) == utcb.WORDS, "a UTCB has 128 words"
        self.words = words
        self.word = words.itemsize
        # The same bytes again and again: as objects, and as arrays for the compiled kernel.
        self.raw = self.raw_view = words.cast("B")
        self.wide = self.raw_view.cast("Q")
        self.narrow = self.raw_view.cast("I")

    def load(self, index: int) -> int:
        """Read word `index`."""
        if self.word == 8:
            return self.wide[index]
        return self.narrow[index]

    def store(self, index: int, value: int) -> None:
        """Write word `index`; `value` must fit a word."""
        if self.word == 8:
            self.wide[index] = value
        else:
            self.narrow[index] = value

    def load_words(self, count: int, first: int = 0) -> tuple[int, ...]:
        """Read `count` words from word `first` on."""
        return tuple(self.words[first : first + count])

    def read(self, count: int) -> bytes:
        """Read the first `count` words as bytes."""
        return self.raw_view[: count * self.word].tobytes()

    def copy(self, to: "Utcb", count: int) -> None:
        """Copy the first `count` message registers to another UTCB and touch no other."""
        size = count * self.word
        if count > _FEW:
            to.raw[:size] = self.raw[:size]
        elif self.word == 8:
            for k in range(count):
                to.wide[k] = self.wide[k]
        else:
            for k in range(count):
                to.narrow[k] = self.narrow[k]

    def widen(self, out: memoryview, at: int, count: int) -> None:
        """Copy the first `count` words to `out`, an array of 64-bit words, from `at` on."""
        if self.word == 8:
            for k in range(count):
                out[at + k] = self.wide[k]
        else:
            for k in range(count):
                out[at + k] = self.narrow[k]
