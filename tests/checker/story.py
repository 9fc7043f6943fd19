"""Streams for the checker, told as stories: who calls whom, stores, loads and sends.

s = Story()
s.wait(words=(7, 42))               # a server's open wait brings a message
with s.frame("dispatch"):
    s.load(0)
    with s.frame("notify"):
        s.store(0, 9)
        s.call(words=1, answer=(1, 2))
    s.load(1)                       # stale
s.reply_and_wait(words=1)
"""

from collections.abc import Iterator
from contextlib import contextmanager

from kernel import abi
from kernel.abi import AMD64, IpcError
from kernel.events import Failure, Fate, Fault, Invocation, Resumption, Transfer
from kernel.utcb import BDR, BR, ERROR
from lab.checker.candidate import Candidate
from lab.checker.checker import Checker
from lab.checker.stream import Access, Call, Chain, Where

WORD = 8
SERVER, CLIENT, OTHER, KERNEL_OBJECT = 1, 2, 3, 9
INVALID_REPLY = abi.CAP_INVALID_BIT | abi.CAP_REPLY_BIT


class Story:
    """One thread's run; every line of it is an instruction of its own."""

    def __init__(self, thread: int = SERVER) -> None:
        self.checker = Checker(AMD64)
        self.thread = thread
        self.memory = bytearray(128 * WORD)
        self.checker.introduce(thread, bytes(self.memory))
        self.position = 0
        self._calls: list[int] = []
        self._chains: list[Chain] = []
        self._inlined: list[int] = []
        self._low = 0
        self._pc = 0x1000

    # -- where it is --------------------------------------------------------------

    @contextmanager
    def frame(self, name: str) -> Iterator[None]:
        """Call a function, and return from it."""
        self._calls.append(self._address(name))
        self._chains.append(tuple(self._inlined))
        kept, self._inlined = self._inlined, []
        yield
        self._inlined = kept
        self._calls.pop()
        self._chains.pop()
        self._low = min(self._low, len(self._calls))

    @contextmanager
    def inlined(self, name: str) -> Iterator[None]:
        """Go through a function that was inlined."""
        self._inlined.append(self._address(name))
        yield
        self._inlined.pop()

    # -- what it does ---------------------------------------------------------------

    def load(self, word: int, *, owner: int = 0, at: int = 0) -> None:
        """Read a word of the UTCB; `at` names the instruction, to execute it again."""
        value = int.from_bytes(self.memory[word * WORD : (word + 1) * WORD], "little")
        self._access(word * WORD, WORD, value, is_write=False, owner=owner, at=at)

    def store(self, word: int, value: int, *, owner: int = 0, size: int = WORD) -> None:
        """Write a word of the UTCB, or a part of it."""
        data = value.to_bytes(size, "little")
        self._access(word * WORD, size, value, is_write=True, owner=owner)
        if not owner:
            self.memory[word * WORD : word * WORD + size] = data

    def call(
        self, *, words: int = 0, answer: tuple[int, ...] | None = (), label: int = 1
    ) -> None:
        """Call another thread; None: it is never answered."""
        self._call(abi.CALL, words, label=label)
        self._sent(OTHER, abi.CALL, words)
        if answer is not None:
            self.deliver(answer, sender=OTHER, operation=abi.REPLY_AND_WAIT)

    def send(self, *, words: int = 0) -> None:
        """Send to another thread, and do not wait."""
        self._call(abi.SEND, words)
        self._sent(OTHER, abi.SEND, words)

    def invoke(self, *, words: int = 0, answer: tuple[int, ...] = ()) -> None:
        """Ask a kernel object."""
        self._call(abi.CALL, words)
        old = tuple(self._words(len(answer)))
        self._deliver(answer)
        self.checker.event(
            Invocation(
                self.position,
                self.position,
                self.thread,
                abi.CALL,
                KERNEL_OBJECT,
                words,
                tuple(self._words(words)),
                len(answer),
                answer,
                old,
                0,
            )
        )

    def fail(self, error: IpcError, *, words: int = 0) -> None:
        """Send, and be told that it has failed."""
        self._call(abi.SEND, words)
        self.memory[ERROR * WORD : (ERROR + 1) * WORD] = int(error).to_bytes(WORD, "little")
        self.checker.event(
            Failure(self.position, self.position, self.thread, abi.SEND, OTHER, error, 0)
        )

    def wait(self, *, words: tuple[int, ...], sender: int = CLIENT, slot: int = 0) -> None:
        """Wait for anybody, and get a message of somebody who waits for a reply."""
        self._call(abi.WAIT, 0, selector=self._slot(slot))
        self.deliver(words, sender=sender)

    def reply(self, *, words: int = 0, to: int = CLIENT, slot: int = 0) -> None:
        """Reply, and do not wait."""
        self._call(abi.REPLY, words, selector=self._slot(slot))
        self._sent(to, abi.REPLY, words)

    def reply_and_wait(
        self,
        *,
        words: int = 0,
        to: int = CLIENT,
        then: tuple[int, ...] = (),
        sender: int = CLIENT,
    ) -> None:
        """Reply, and wait for the next message."""
        self._call(abi.REPLY_AND_WAIT, words, selector=INVALID_REPLY)
        self._sent(to, abi.REPLY_AND_WAIT, words)
        self.deliver(then, sender=sender)

    def deliver(
        self, words: tuple[int, ...], *, sender: int, operation: int = abi.CALL
    ) -> None:
        """Let a message arrive."""
        old = bytes(self.memory[: len(words) * WORD])
        self._deliver(words)
        payload = bytes(self.memory[: len(words) * WORD])
        self.checker.event(
            Transfer(
                self.position,
                self.position,
                sender,
                self.thread,
                operation,
                0,
                len(words),
                0,
                0,
                0,
                0,
                payload,
                old,
            )
        )

    def page_fault(self, *, answer: tuple[int, ...] = ()) -> None:
        """Have a page fault, which the pager answers; the kernel saves five words."""
        saved = (BDR, BR, BR + 1, 0, 1)
        kept = [bytes(self.memory[k * WORD : (k + 1) * WORD]) for k in saved]
        self.checker.event(
            Fault(self.position, self.position, self.thread, 0, 4, 0, Fate.HANDLED)
        )
        self.deliver(answer, sender=OTHER)
        for k, data in zip(saved, kept, strict=True):
            self.memory[k * WORD : (k + 1) * WORD] = data
        self.checker.event(Resumption(self.position, self.position, self.thread, 0, 0, (), ()))

    # -- what comes of it -------------------------------------------------------------

    def found(self) -> list[tuple[str, int, str]]:
        """List what is no note: rule, word, and whether it is right by luck."""
        return [
            (each.rule.value, each.offset // WORD, "intact" if each.is_intact else "wrong")
            for each in self.candidates()
            if not each.is_note
        ]

    def notes(self) -> list[tuple[str, int]]:
        """List the notes: rule and word."""
        return [
            (each.rule.value, each.offset // WORD) for each in self.candidates() if each.is_note
        ]

    def candidates(self) -> list[Candidate]:
        """Give all candidates."""
        return self.checker.candidates.all()

    # -- in detail ----------------------------------------------------------------------

    def _where(self, pc: int = 0) -> Where:
        self._pc += 4
        return Where(
            pc or self._pc, tuple(self._calls), tuple(self._chains), tuple(self._inlined)
        )

    def _take_low(self) -> int:
        low, self._low = self._low, len(self._calls)
        return low

    def _access(
        self, offset: int, size: int, value: int, *, is_write: bool, owner: int, at: int = 0
    ) -> None:
        self.position += 1
        self.checker.access(
            Access(
                self.position,
                self.thread,
                owner or self.thread,
                offset,
                size,
                value,
                is_write,
                self._where(at),
                self._take_low(),
            )
        )

    def _call(self, operation: int, words: int, *, selector: int = 0, label: int = 1) -> None:
        self.position += 1
        tag = abi.encode_tag(label, words=words, bits=64)
        where, low = self._where(), self._take_low()
        self.checker.call(
            Call(
                self.position, self.position, self.thread, selector | operation, tag, where, low
            )
        )

    def _sent(self, to: int, operation: int, words: int) -> None:
        payload = bytes(self.memory[: words * WORD])
        self.checker.event(
            Transfer(
                self.position,
                self.position,
                self.thread,
                to,
                operation,
                0,
                words,
                0,
                0,
                0,
                0,
                payload,
                payload,
            )
        )

    def _deliver(self, words: tuple[int, ...]) -> None:
        for k, value in enumerate(words):
            self.memory[k * WORD : (k + 1) * WORD] = value.to_bytes(WORD, "little")

    def _words(self, count: int) -> Iterator[int]:
        for k in range(count):
            yield int.from_bytes(self.memory[k * WORD : (k + 1) * WORD], "little")

    @staticmethod
    def _slot(slot: int) -> int:
        return slot << abi.CAP_SHIFT | abi.CAP_REPLY_BIT if slot else INVALID_REPLY

    @staticmethod
    def _address(name: str) -> int:
        return 0x10_0000 + sum(ord(letter) << 3 * k for k, letter in enumerate(name[:8]))
