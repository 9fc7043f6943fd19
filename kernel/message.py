"""The kernel's view of a UTCB, read and written where it lies in guest memory.

It holds no copy: what the guest writes is what the next system call sees.
"""

from kernel import utcb


_SHORT = 64  # bytes


class Utcb:
    """One thread's UTCB as 128 words over the machine's memory.

    A UTCB is kernel memory, mapped for as long as its thread lives, so no access can
    fault.  Values are unsigned words of the machine's size.
    """

    __slots__ = ("pairs", "raw", "raw_view", "word", "words")

    def __init__(self, words: memoryview) -> None:
        assert len(words) == utcb.WORDS, "a UTCB has 128 words"
        self.words = words
        self.word = words.itemsize
        # The same bytes twice: the compiled kernel reads one as an object, one as an array.
        self.raw = self.raw_view = words.cast("B")
        self.pairs = self.raw_view.cast("Q")

    def load(self, index: int) -> int:
        """Read word `index`."""
        word: int = self.words[index]
        return word

    def store(self, index: int, value: int) -> None:
        """Write word `index`; `value` must fit a word."""
        self.words[index] = value

    def load_words(self, count: int, first: int = 0) -> tuple[int, ...]:
        """Read `count` words from word `first` on."""
        return tuple(self.words[first : first + count])

    def read(self, count: int) -> bytes:
        """Read the first `count` words as bytes."""
        return self.raw_view[: count * self.word].tobytes()

    def copy(self, to: "Utcb", count: int) -> None:
        """Copy the first `count` message registers to another UTCB and touch no other."""
        size = count * self.word
        if size > _SHORT:
            to.raw[:size] = self.raw[:size]
            return
        # Most messages are a few words; for those the preparation of a slice takes longer.
        for k in range(size >> 3):
            to.pairs[k] = self.pairs[k]
        if size & 4:
            to.raw[size - 4 : size] = self.raw[size - 4 : size]
