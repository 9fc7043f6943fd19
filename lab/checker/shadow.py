"""The shadow of one thread's UTCB: for every byte who wrote it, and for which message.

Rule 1: `memory` is what the UTCB holds, by the stream alone; a test compares it with the
UTCB itself.
Rule 2: a byte's writer is a turn, if the kernel delivered it, a store, or nobody.
Rule 3: who stores a value that had been read there before, in place of another that came
in between, puts it back: the byte is its old writer's again.
"""

from typing import NamedTuple, TypeAlias

from kernel.utcb import BDR, ERROR, MR_COUNT, WORDS
from lab.checker.candidate import Candidate
from lab.checker.lives import Store, Turn
from lab.checker.stream import Access, Chain, Where

Writer: TypeAlias = Turn | Store | None

BULK = 16  # so many words that are read one after the other are a copy, not parameters
_VERSIONS = 4  # values of a place that are kept to see one put back
_PENDING = 2048  # stores that are kept before those that left no byte are dropped


class Lost(NamedTuple):
    """A store that was overwritten, and the innermost frame since it that was left then."""

    store: Store
    depth: int
    chain: Chain


class Shadow:
    """What is known of a thread and its UTCB."""

    __slots__ = (
        "buffer_stores",
        "buffers_lost",
        "bulk",
        "bulk_end",
        "bulk_epoch",
        "bulk_start",
        "call",
        "epoch",
        "error_lost",
        "fault",
        "has_run",
        "interrupted",
        "latest",
        "limit",
        "lost",
        "memory",
        "number",
        "overrun",
        "pending",
        "previous",
        "reply",
        "reply_lost",
        "round",
        "saved",
        "saves",
        "slots",
        "turns",
        "word",
        "writers",
    )

    def __init__(self, number: int, word: int) -> None:
        self.number = number
        self.word = word
        self.limit = MR_COUNT * word  # the end of the message registers
        self.memory = bytearray(WORDS * word)
        self.writers: list[Writer] = [None] * (WORDS * word)
        self.turns: list[Turn] = []  # the live ones; the owners of later ones are deeper
        self.pending: list[Store] = []  # for a system call that did not come yet
        self.buffer_stores: list[Store] = []  # the writers of buffer registers
        # Stores that were overwritten before they were sent or used, by byte.
        self.lost: dict[int, Lost] = {}
        self.buffers_lost: dict[int, Lost] = {}
        self.error_lost: tuple[Turn, bytes] | None = None
        self.call: Turn | None = None  # the system call that has not ended
        self.latest: Turn | None = None  # the last one that a thread has answered
        self.epoch = 0  # system calls so far
        self.round = 0  # and of those, before the last message that came to an open wait
        self.has_run = False
        self.fault = 0  # in a fault (1) or an exception (2) that the kernel calls for
        self.saved: list[tuple[int, bytes, list[Writer]]] = []  # words that come back after it
        # mr[0] and its writers as they were when a handler of its own began (ABI 5.5).
        self.interrupted: tuple[bytes, list[Writer]] | None = None
        self.reply: tuple[int, Turn] | None = None  # whom a reply would go to, since when
        self.slots: dict[int, Turn] = {}  # messages that explicit reply capabilities answer
        self.reply_lost: tuple[int, Turn, Turn] | None = None
        # By word: whose message was there before the writer's.
        self.previous: list[Turn | None] = [None] * WORDS
        self.saves: dict[tuple[int, int], list[tuple[Writer, int, int]]] = {}
        # The run of reads without a gap that the last one belongs to.
        self.bulk: list[Candidate] = []
        self.overrun: Candidate | None = None  # that it goes on behind the message registers
        self.bulk_start = self.bulk_end = -1
        self.bulk_epoch = 0

    # -- lives ------------------------------------------------------------------

    def unwind(self, low: int, where: Where, position: int) -> None:
        """Take note that the stack was unwound to `low`, and now is at `where`."""
        turns = self.turns
        sinking: Turn | None = None
        waiting: Turn | None = None
        while turns and turns[len(turns) - 1].depth > low:
            turn = turns.pop()
            if not turn.is_open:
                self._bury(turn, position)
            elif sinking is None:
                sinking = turn
            elif turn.waits and not sinking.waits:
                waiting = turn  # a server's request is not over with a call that came later
            elif sinking.delivered or not turn.delivered:
                # Two that nobody used yet: the later one counts, if it has any words.
                self._bury(turn, position)
            else:
                self._bury(sinking, position)
                sinking = turn
        for each in (waiting, sinking):
            if each is not None:
                each.depth = low
                each.chain = where.chain(low) if low <= where.depth else ()
                turns.append(each)
        for stores in (self.pending, self.buffer_stores):
            for store in reversed(stores):
                if store.depth <= low:
                    break
                store.unwind(low)

    def begin(self, turn: Turn, position: int, answered: Turn | None) -> None:
        """End all lives that a new turn ends; `answered` is the one that it replies to.

        With a message end the stores of its owner's frames that nothing has sent.
        """
        where = turn.call.where
        kept: list[Turn] = []
        gone: list[Turn] = []
        for last in self.turns:
            if last.is_open:
                last.sink(where)
            again = last.call.where.pc == where.pc and last.call.where.calls == where.calls
            if (
                again
                or last is answered
                or last.is_within(turn.depth, turn.chain)
                or not last.includes(where)
            ):
                gone.append(last)
            elif last.is_open and not last.waits and last.call.where.depth > last.depth:
                gone.append(last)  # nobody has used it, and now comes another
            elif last.is_open and kept and _may_lose(kept[len(kept) - 1]):
                loser = kept.pop() if last.delivered else last
                gone.append(loser)
                if loser is not last:
                    kept.append(last)
            else:
                kept.append(last)
        self.turns = kept
        for last in reversed(gone):
            self._bury(last, position)
            if last.received and not self.slots and (last.waits or not last.is_open):
                self._forget_stores(turn, last.depth)

    def use(self, turn: Turn, where: Where, position: int) -> None:
        """Take note that somebody at `where` uses a live turn's message."""
        if not turn.is_open:
            return
        turn.close(where)
        gone = [
            each
            for each in self.turns
            if each.number < turn.number and each.is_within(turn.depth, turn.chain)
        ]
        if gone:
            self.turns = [each for each in self.turns if each not in gone]
            for each in reversed(gone):
                self._bury(each, position)

    def innermost(self, where: Where) -> Turn | None:
        """Give the innermost live message at `where`.

        One whose owner is open counts if there is no other.
        """
        found: Turn | None = None
        for turn in reversed(self.turns):
            if not turn.received:
                continue
            if turn.is_open:
                found = turn
            elif turn.includes(where):
                return turn
        return found

    def _forget_stores(self, turn: Turn, depth: int) -> None:
        for store in self.pending:
            if store.depth >= depth:
                store.turn = turn
        self.pending = [store for store in self.pending if store.turn is None]
        for at in [at for at, lost in self.lost.items() if lost.store.turn is not None]:
            del self.lost[at]

    def _bury(self, turn: Turn, position: int) -> None:
        turn.die(position)
        # A partner that sends more words next time would overwrite what is still unread
        # below; a kernel object always answers with the same number.
        if turn.received and turn.sender and not turn.is_kernel:
            for below in reversed(self.turns):
                if below.received and turn.is_below(below.depth, below.chain):
                    below.nested = turn
                    return

    # -- bytes ------------------------------------------------------------------

    def store(self, access: Access, number: int) -> Store:
        """Enter a store."""
        offset, size, where = access.offset, access.size, access.where
        data = access.value.to_bytes(size, "little")
        store = Store(number, access.position, where, offset, data, self.epoch)
        end = offset + size
        before = self.writers[offset]
        found: Writer = store
        known = self.saves.get((offset, size))
        if known is not None:
            for writer, value, epoch in known:
                if value == access.value and self.round <= epoch < self.epoch:
                    found = self._put_back(store, writer)
                    break
        self.memory[offset:end] = data
        if isinstance(before, Turn) and before is not found:
            self.previous[offset // self.word] = before
        self.writers[offset:end] = [found] * size
        if store.returns is None and found is store:
            stores = self.pending
            if offset >= BDR * self.word and offset < ERROR * self.word:
                self.buffer_stores.append(store)
                if len(self.buffer_stores) > _PENDING:
                    self.buffer_stores = self._writers_in(self.buffer_stores)
            stores.append(store)
            if len(stores) > _PENDING:
                self.pending = self._writers_in(stores)
        return store

    def _put_back(self, store: Store, writer: Writer) -> Writer:
        if writer is None:
            return None
        origin = writer.returns if isinstance(writer, Store) and writer.returns else writer
        store.returns = origin
        if isinstance(origin, Turn) and origin.is_alive:
            origin.put_back += store.size
            origin.put_back_by = store.where.calls
            _forget_read(origin, store.offset, store.offset + store.size)
            origin.reopen()
        return store

    def _writers_in(self, stores: list[Store]) -> list[Store]:
        used = {id(writer) for writer in self.writers}
        for lost in (self.lost, self.buffers_lost):
            used.update(id(each.store) for each in lost.values())
        return [store for store in stores if id(store) in used]

    def remember(self, access: Access) -> None:
        """Take note that a value was read, in case that it is put back later."""
        place = access.offset, access.size
        writer = self.writers[access.offset]
        known = self.saves.get(place)
        if known is None:
            self.saves[place] = [(writer, access.value, self.epoch)]
            return
        for at, (one, value, _) in enumerate(known):
            if one is writer and value == access.value:
                if at:
                    known.insert(0, known.pop(at))
                return
        known.insert(0, (writer, access.value, self.epoch))
        if len(known) > _VERSIONS:
            known.pop()

    def deliver(self, offset: int, data: bytes, turn: Writer) -> None:
        """Enter what the kernel wrote."""
        end = offset + len(data)
        self.memory[offset:end] = data
        for at in range(offset, end, self.word):
            before = self.writers[at]
            if isinstance(before, Turn):
                self.previous[at // self.word] = before
        self.writers[offset:end] = [turn] * len(data)

    def runs(self, start: int, end: int) -> list[tuple[int, int, Writer]]:
        """Give the bytes from start to end in runs of one writer."""
        writers = self.writers
        found: list[tuple[int, int, Writer]] = []
        while start < end:
            writer = writers[start]
            stop = start + 1
            while stop < end and writers[stop] is writer:
                stop += 1
            found.append((start, stop, writer))
            start = stop
        return found

    def note_run(self, access: Access) -> bool:
        """Take note of a read; true if it is one of so many that this is a copy."""
        if access.offset != self.bulk_end or self.epoch != self.bulk_epoch:
            self.bulk.clear()
            self.overrun = None
            self.bulk_start = access.offset
            self.bulk_epoch = self.epoch
        self.bulk_end = access.offset + access.size
        return self.bulk_end - self.bulk_start >= BULK * self.word


def _may_lose(turn: Turn) -> bool:
    return turn.is_open and not turn.waits


def _forget_read(writer: Writer, start: int, end: int) -> None:
    """Take note that a word was read to be saved only."""
    if isinstance(writer, Turn):
        for at in range(start, min(end, writer.delivered)):
            if writer.read[at]:
                writer.read[at] -= 1
