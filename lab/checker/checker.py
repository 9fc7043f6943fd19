"""The checker: takes the stream of one run and says what may be wrong in it.

Rule 1: it observes.  Nothing of it reaches back into the run.
Rule 2: its memory is bounded by threads, live messages and places in programs, not by the
length of the run.
Rule 3: state changes here, by the record; the rules only look.
"""

from kernel.abi import (
    CAP_REPLY_BIT,
    CAP_SHIFT,
    CAP_SPECIAL,
    ITEM_FPAGE,
    ITEM_LABEL,
    OP_OPEN_WAIT,
    OP_RECV,
    OP_REPLY,
    OP_SEND,
    TAG_ITEMS,
    TAG_ITEMS_SHIFT,
    TAG_WORDS,
    Arch,
)
from kernel.events import (
    Awoken,
    Deleted,
    Event,
    Exception_,
    Failure,
    Fate,
    Fault,
    Invocation,
    Items,
    Resumption,
    Switch,
    Transfer,
    Waiting,
)
from kernel.utcb import BDR, BR, ERROR, MR
from lab.checker.candidate import Candidates
from lab.checker.life_log import LifeLog
from lab.checker.lives import Store, Turn
from lab.checker.rules import (
    buffers,
    counts,
    error_word,
    foreign,
    hidden,
    leaks,
    outside,
    reads,
    replies,
    setup,
)
from lab.checker.shadow import Shadow
from lab.checker.stream import Access, Arrival, Call, Chain, Where, common
from lab.checker.trampoline import leaves_handler

_IN_PAGE_FAULT, _IN_EXCEPTION = 1, 2
_ITEM_RESULT = 6  # bits of an item's first word that say what became of it
_SAYS_WHAT = (ITEM_LABEL, ITEM_FPAGE)
# The words that the kernel saves around its calls for a thread (ABI 5.1, 5.2).
_SAVED = (BDR, BR, BR + 1, MR, MR + 1)
_BELOW_ALL = 1 << 30  # deeper than any stack


class Checker:
    """What is known of all threads of a run."""

    __slots__ = ("_arch", "_messages", "_number", "_shadows", "candidates", "lives")

    def __init__(self, arch: Arch) -> None:
        self._arch = arch
        self._number = 0  # of the turn or store made last
        self._messages = 0
        self._shadows: dict[int, Shadow] = {}
        self.candidates = Candidates()
        self.lives: LifeLog | None = None  # who is told of all messages

    def shadow(self, thread: int) -> Shadow:
        """Give what is known of a thread."""
        found = self._shadows.get(thread)
        if found is None:
            found = self._shadows[thread] = Shadow(thread, self._arch.word)
        return found

    def introduce(self, thread: int, content: bytes) -> None:
        """Take note of a thread that has got a UTCB with this in it."""
        shadow = self._shadows[thread] = Shadow(thread, self._arch.word)
        shadow.memory[:] = content

    # -- accesses and system calls ------------------------------------------------

    def access(self, access: Access) -> None:
        """Take an access in."""
        shadow = self.shadow(access.thread)
        shadow.has_run = True
        if access.low < access.where.depth or shadow.turns or shadow.pending:
            shadow.unwind(access.low, access.where, access.position)
        if access.owner != access.thread:
            owner = self.shadow(access.owner)
            foreign.check(self.candidates, owner, access)
            if access.is_write:
                self._number += 1
                owner.store(access, self._number)
            return
        if not access.is_write:
            if access.offset < shadow.limit:
                reads.check(self.candidates, shadow, access)
            elif access.offset == shadow.bulk_end:
                counts.check_overrun(self.candidates, shadow, access)
            if access.offset == ERROR * shadow.word:
                error_word.check(self.candidates, shadow, access)
            shadow.remember(access)
            return
        outside.check(self.candidates, shadow, access)
        self._number += 1
        setup.note_store(shadow, access)
        store = shadow.store(access, self._number)
        setup.note_stored(shadow, store)

    def call(self, call: Call) -> None:
        """Take a system call in."""
        shadow = self.shadow(call.thread)
        shadow.has_run = True
        shadow.unwind(call.low, call.where, call.position)
        self._number += 1
        turn = self._turn(shadow, call)
        answered: Turn | None = None
        if turn.operation & OP_REPLY and call.selector & CAP_SPECIAL != CAP_REPLY_BIT:
            replies.check(self.candidates, shadow, turn)
            if shadow.reply is not None and turn.receives:
                answered = shadow.reply[1]
            shadow.reply = None
        hidden.check(self.candidates, shadow, turn)
        if turn.sends:
            if turn.words:
                turn.outgoing = self._message()
                turn.sent = self._words(shadow, turn)
            setup.check(self.candidates, shadow, turn)
            counts.check(self.candidates, shadow, turn)
            leaks.collect(shadow, turn)
        if turn.receives:
            buffers.check(self.candidates, shadow, turn)
        self._take_stores(shadow, turn)
        if turn.operation & OP_REPLY and call.selector & CAP_SPECIAL == CAP_REPLY_BIT:
            answered = shadow.slots.pop(call.selector >> CAP_SHIFT, None)
        shadow.begin(turn, call.position, answered)
        shadow.turns.append(turn)
        shadow.call = turn
        shadow.epoch += 1
        if self.lives is not None:
            self.lives.follow(turn)

    def may_call(self, position: int, thread: int, name: str, where: Where, low: int) -> None:
        """Take note of a call of a function that may do IPC, and perhaps does none now."""
        shadow = self.shadow(thread)
        shadow.unwind(low, where, position)
        hidden.note_call(shadow, position, name, where)

    def _message(self) -> int:
        self._messages += 1
        return self._messages

    def _words(self, shadow: Shadow, turn: Turn) -> tuple[int, ...]:
        end = min((turn.call.tag & TAG_WORDS) * shadow.word, shadow.limit)
        data = memoryview(shadow.memory)[:end]
        words = data.cast("Q") if shadow.word == 8 else data.cast("I")
        return tuple(words.tolist())

    def _turn(self, shadow: Shadow, call: Call) -> Turn:
        """Make the turn of a call; its owner is in all places that prepared it."""
        where = call.where
        turn = Turn(self._number, call, where.depth, where.leaf)
        end = min(turn.words * shadow.word, shadow.limit) if turn.sends else 0
        # A word is whose its first byte is: text may end in the middle of one.
        found: set[object] = set(shadow.writers[: end : shadow.word])
        is_open = True
        for writer in found:
            store = writer.returns if isinstance(writer, Store) and writer.returns else writer
            if isinstance(store, Store) and store.turn is None:
                _widen(turn, store)
                is_open = False
        if turn.receives:
            # The last store of buffer registers tells who has prepared them for this.
            stores = shadow.buffer_stores
            if stores:
                last = stores[len(stores) - 1]
                if last.epoch == shadow.epoch:
                    _widen(turn, last)
        # What an open wait brings has nothing to do with what was sent before.
        turn.is_open = is_open or turn.waits
        return turn

    def _take_stores(self, shadow: Shadow, turn: Turn) -> None:
        # The stores of the owner's frames were for this; others wait for a call of theirs, as
        # do all if nothing is sent while somebody waits for a late reply.
        if shadow.slots and not turn.sends:
            return
        kept: list[Store] = []
        for store in shadow.pending:
            if _is_within(store, turn.depth, turn.chain):
                store.turn = turn
                if store.offset < shadow.limit:
                    turn.stores.append(store)
            else:
                kept.append(store)
        end = min(turn.words * shadow.word, shadow.limit) if turn.sends else 0
        if kept and end:
            sent = {id(w) for w in shadow.writers[: end : shadow.word]}
            for store in kept:
                if id(store) in sent:
                    store.turn = turn
            kept = [store for store in kept if store.turn is None]
        shadow.pending = kept
        setup.forget(shadow)

    # -- events -------------------------------------------------------------------

    def event(self, event: Event) -> None:
        """Take in what the kernel did."""
        match event:
            case Transfer():
                self.transfer(_arrival(event))
            case Items():
                self._items(event)
            case Invocation():
                self._invocation(event)
            case Failure():
                self._failure(event)
            case Waiting() | Awoken():
                pass
            case Fault() | Exception_() if event.fate is Fate.HANDLED:
                self._fault(event)
            case Fault() if event.fate is Fate.TRAMPOLINE:
                shadow = self.shadow(event.thread)
                word = shadow.word
                shadow.interrupted = bytes(shadow.memory[:word]), shadow.writers[:word]
            case Resumption():
                self._resumption(event)
            case Switch():
                self.switch(event.next)
            case Deleted():
                gone = self._shadows.pop(event.target, None)
                for turn in () if gone is None else gone.turns:
                    turn.die(event.position)
            case _:
                pass

    def switch(self, following: int) -> None:
        """Take in that a thread runs now; 0: none."""
        if following:
            self.shadow(following).has_run = True

    def transfer(self, event: Arrival) -> None:
        """Take in that a message has arrived."""
        sender = self._shadows.get(event.sender)
        receiver = self.shadow(event.receiver)
        peer: Turn | None = None
        if sender is not None and not sender.fault:
            peer = sender.call
            if peer is not None:
                peer.receiver = event.receiver
                leaks.check(self.candidates, sender, peer)
                if not peer.receives:
                    sender.call = None
        if receiver.fault == _IN_EXCEPTION:
            return  # the answer is a trap frame, not a message in the UTCB
        turn = receiver.call
        if receiver.fault or turn is None:
            # The pager's answer belongs to a call that is not the thread's own.
            self._deliver(receiver, self._virtual(receiver, event), event.payload)
            return
        receiver.call = None
        turn.received = True
        turn.incoming = self._message()
        turn.sender, turn.via = event.sender, event.via
        turn.tag, turn.label = event.tag, event.label
        turn.position, turn.cycle = event.position, event.cycle
        turn.payload, turn.old = event.payload, event.overwritten
        turn.items = event.tag >> TAG_ITEMS_SHIFT & TAG_ITEMS
        end = (event.tag & TAG_WORDS) + 2 * turn.items
        turn.delivered = min(end * receiver.word, receiver.limit)
        turn.read = bytearray(turn.delivered)
        if event.sender:
            receiver.latest = turn
        if turn.waits:
            receiver.round = receiver.epoch
        if peer is not None and peer.uncounted:
            turn.left_out = peer.call, peer.uncounted
        self._deliver(receiver, turn, event.payload)
        if event.error:
            self._error(receiver, turn, event.error)
        calls = event.operation & (OP_SEND | OP_RECV | OP_OPEN_WAIT) == OP_SEND | OP_RECV
        if turn.waits and calls:
            selector = turn.call.selector
            if selector & CAP_SPECIAL == CAP_REPLY_BIT:
                receiver.slots[selector >> CAP_SHIFT] = turn
            else:
                replies.note_caller(receiver, turn)

    def _items(self, event: Items) -> None:
        receiver = self.shadow(event.receiver)
        if receiver.fault == _IN_EXCEPTION or not event.results:
            return
        word = receiver.word
        start = event.first * word
        data = b"".join(value.to_bytes(word, "little") for value in event.results)
        data = data[: max(receiver.limit - start, 0)]
        # The second word of an item is written only if it says what was not mapped (ABI 4.9).
        written = [
            k
            for k, value in enumerate(event.results)
            if k % 2 == 0 or event.results[k - 1] & _ITEM_RESULT in _SAYS_WHAT
        ]
        top = receiver.turns[len(receiver.turns) - 1] if receiver.turns else None
        owner = top if top is not None and top.position == event.position else None
        if owner is not None and len(owner.payload) == start:
            owner.payload += data
        for k in written:
            at = start + k * word
            part = data[k * word : (k + 1) * word]
            setup.note_delivery(receiver, at, len(part))
            receiver.deliver(at, part, owner)

    def _deliver(self, shadow: Shadow, turn: Turn, data: bytes) -> None:
        setup.note_delivery(shadow, 0, len(data))
        shadow.deliver(0, data, turn)

    def _virtual(self, shadow: Shadow, event: Arrival) -> Turn:
        where = Where(event.receiver_ip)
        call = Call(event.position, event.cycle, event.receiver, 0, 0, where, 0)
        self._number += 1
        # A fault is a frame below whatever the thread was in.
        turn = Turn(self._number, call, _BELOW_ALL, ())
        turn.received = True
        turn.incoming = self._message()
        turn.sender, turn.via, turn.tag = event.sender, event.via, event.tag
        turn.position, turn.cycle = event.position, event.cycle
        turn.payload, turn.delivered = event.payload, len(event.payload)
        turn.read = bytearray(turn.delivered)
        turn.die(event.position)
        if self.lives is not None:
            self.lives.follow(turn)
        return turn

    def _invocation(self, event: Invocation) -> None:
        shadow = self.shadow(event.thread)
        turn = shadow.call
        if turn is None or shadow.fault:
            return
        turn.receiver = event.target
        turn.is_kernel = True
        if shadow.interrupted is not None and leaves_handler(event):
            self._leave_handler(shadow, turn, event.position)
            return
        if not event.operation & OP_RECV:
            shadow.call = None
            return
        if event.operation & OP_OPEN_WAIT:
            return  # a message will end it
        shadow.call = None
        word = self._arch.word
        data = b"".join(value.to_bytes(word, "little") for value in event.answer)
        turn.received = True
        turn.incoming = self._message()
        turn.sender = event.target
        turn.tag = event.result
        turn.position, turn.cycle = event.position, event.cycle
        turn.payload, turn.delivered = data, len(data)
        turn.read = bytearray(len(data))
        self._deliver(shadow, turn, data)

    def _leave_handler(self, shadow: Shadow, turn: Turn, position: int) -> None:
        assert shadow.interrupted is not None, "it was in its handler"
        word = shadow.word
        shadow.memory[:word], shadow.writers[:word] = shadow.interrupted
        shadow.interrupted = None
        shadow.call = None
        turn.die(position)
        shadow.turns = [each for each in shadow.turns if each is not turn]

    def _failure(self, event: Failure) -> None:
        shadow = self.shadow(event.thread)
        turn = shadow.call
        if shadow.fault or turn is None:
            return
        shadow.call = None
        self._error(shadow, turn, event.error)

    def _error(self, shadow: Shadow, turn: Turn, error: int) -> None:
        turn.error = error
        error_word.note_error(shadow, turn)
        word = shadow.word
        shadow.deliver(ERROR * word, error.to_bytes(word, "little"), turn)

    def _fault(self, event: Fault | Exception_) -> None:
        shadow = self.shadow(event.thread)
        shadow.fault = _IN_PAGE_FAULT if isinstance(event, Fault) else _IN_EXCEPTION
        saved = _SAVED if isinstance(event, Fault) else _SAVED[:3]
        word = shadow.word
        shadow.saved = [
            (
                k * word,
                bytes(shadow.memory[k * word : (k + 1) * word]),
                shadow.writers[k * word : (k + 1) * word],
            )
            for k in saved
        ]

    def _resumption(self, event: Resumption) -> None:
        shadow = self.shadow(event.thread)
        shadow.fault = 0
        for offset, data, writers in shadow.saved:
            end = offset + len(data)
            shadow.memory[offset:end] = data
            shadow.writers[offset:end] = writers
        shadow.saved = []


def _arrival(event: Transfer) -> Arrival:
    arrival = Arrival()
    arrival.cycle, arrival.position = event.cycle, event.position
    arrival.sender, arrival.receiver = event.sender, event.receiver
    arrival.operation, arrival.via = event.operation, event.via
    arrival.tag, arrival.label, arrival.error = event.tag, event.label, event.error
    arrival.receiver_ip = event.receiver_ip
    arrival.payload, arrival.overwritten = event.payload, event.overwritten
    return arrival


def _widen(turn: Turn, store: Store) -> None:
    """Let the owner of a turn have a store in it, too."""
    where = turn.call.where
    if store.depth < turn.depth:
        turn.depth, turn.chain = store.depth, common(store.chain, where.chain(store.depth))
    elif store.depth == turn.depth:
        turn.chain = common(turn.chain, store.chain)
    else:
        turn.chain = common(turn.chain, store.where.chain(turn.depth))


def _is_within(store: Store, depth: int, chain: Chain) -> bool:
    if store.depth != depth:
        return store.depth > depth
    return store.chain[: len(chain)] == chain
