"""setup-clobbered: what a frame stored for a message was overwritten before it was sent.

The frame that called in between did not know: who does a call itself, or passes on what
came with it, has decided so.
"""

from kernel.abi import CAP_REPLY_BIT, CAP_SHIFT, CAP_SPECIAL, OP_REPLY, TAG_WORDS
from kernel.utcb import BDR, ERROR
from lab.checker.candidate import Candidate, Candidates
from lab.checker.finding import Rule
from lab.checker.lives import Store, Turn
from lab.checker.rules.reads import table
from lab.checker.shadow import Lost, Shadow
from lab.checker.stream import Access


def note_store(shadow: Shadow, access: Access) -> None:
    """Look at what an access is about to overwrite."""
    writers = shadow.writers
    start = access.offset
    in_buffers = BDR * shadow.word <= start < ERROR * shadow.word
    if not in_buffers and start >= shadow.limit:
        return
    lost = shadow.buffers_lost if in_buffers else shadow.lost
    where = access.where
    for at in range(start, start + access.size):
        writer = writers[at]
        if isinstance(writer, Store) and writer.returns is not None:
            writer = writer.returns  # a message's word that was put back was not set up
        if not isinstance(writer, Store) or (writer.turn is not None and not in_buffers):
            continue
        if where.depth > writer.depth or (
            where.depth == writer.depth
            and len(where.leaf) > len(writer.chain)
            and where.leaf[: len(writer.chain)] == writer.chain
        ):
            known = lost.get(at)
            if known is None or (writer.turn is None and writer.depth <= known.depth):
                lost[at] = Lost(writer, writer.depth, writer.chain)


def note_stored(shadow: Shadow, store: Store) -> None:
    """Look at what has just been stored."""
    for lost in (shadow.lost, shadow.buffers_lost):
        if not lost:
            continue
        for at in range(store.offset, store.offset + store.size):
            known = lost.get(at)
            if known is None:
                continue
            is_back = store.returns is known.store
            if is_back or (store.returns is None and not _is_below(store, known)):
                del lost[at]


def note_delivery(shadow: Shadow, start: int, size: int) -> None:
    """Look at what the kernel is about to overwrite: words, or what came of items."""
    if not shadow.pending:
        return
    for at in range(start, min(start + size, shadow.limit)):
        writer = shadow.writers[at]
        if isinstance(writer, Store) and writer.returns is not None:
            writer = writer.returns
        if isinstance(writer, Store) and writer.turn is None:
            shadow.lost.setdefault(at, Lost(writer, writer.depth, writer.chain))


def check(candidates: Candidates, shadow: Shadow, turn: Turn) -> None:
    """Look at a message that is about to be sent."""
    lost = shadow.lost
    if not lost:
        return
    end = min(turn.words * shadow.word, shadow.limit)
    items = (turn.call.tag & TAG_WORDS) * shadow.word
    where = turn.call.where
    writers = shadow.writers
    sources = set(writers[:end])
    for at in sorted(lost):
        if at >= end:
            break
        (store, depth, chain), writer = lost[at], writers[at]
        if isinstance(writer, Store) and writer.returns is not None:
            writer = writer.returns
        clobber = writer.turn if isinstance(writer, Store) else writer
        if clobber is None or clobber.number < store.number:
            continue
        is_late = _is_late(shadow, turn, store, clobber)
        if not is_late:
            if not _is_for(store, turn):
                continue
            if sources == {clobber} and at < items:
                continue  # it passes on what came; what came of an item is none itself
            if clobber.is_open:
                # Nobody has used what that brought, and a function called has asked for it.
                if clobber.call.where.depth <= depth:
                    continue
            elif clobber.includes(where) or not clobber.is_below(depth, chain):
                continue  # that frame has called itself
        start, stop = store.offset, min(store.offset + store.size, end)
        if _is_told(lost, store, start, at):
            continue  # told with the first byte of it
        candidates.add(
            Candidate(
                Rule.SETUP_CLOBBERED,
                turn.thread,
                turn.call.position,
                where,
                start,
                stop - start,
                is_call=True,
                cycle=turn.call.cycle,
                expected=store.value[: stop - start],
                actual=bytes(shadow.memory[start:stop]),
                message=shadow.innermost(where),
                clobber=clobber,
                stores=(store,),
                is_delivery=isinstance(writer, Turn),
                is_open=clobber.is_open and not is_late,
                rows=table(shadow, turn, start),
            )
        )


def _is_late(shadow: Shadow, turn: Turn, store: Store, clobber: Turn) -> bool:
    """Whether this replies to an older message than the one that came in between."""
    selector = turn.call.selector
    if not turn.operation & OP_REPLY or selector & CAP_SPECIAL != CAP_REPLY_BIT:
        return False
    answered = shadow.slots.get(selector >> CAP_SHIFT)
    return answered is not None and answered.number < store.number < clobber.number


def forget(shadow: Shadow) -> None:
    """Forget what was lost for a message that is sent now, or never."""
    for at in [at for at, lost in shadow.lost.items() if lost.store.turn is not None]:
        del shadow.lost[at]


def _is_told(lost: dict[int, Lost], store: Store, start: int, end: int) -> bool:
    """Whether an earlier byte of the same store was lost as well."""
    return any(at in lost and lost[at].store is store for at in range(start, end))


def _is_for(store: Store, turn: Turn) -> bool:
    """Whether a store can have been meant for this system call."""
    if turn.is_open:
        return True  # whoever has called may have prepared it
    if store.depth != turn.depth:
        return store.depth > turn.depth
    return store.chain[: len(turn.chain)] == turn.chain


def _is_below(store: Store, lost: Lost) -> bool:
    if store.depth != lost.depth:
        return store.depth > lost.depth
    return len(store.chain) > len(lost.chain)
