"""stale-read, beyond-count, unbalanced-restore, dangling-pointer, word-lost-unread.

All look at a read of message registers, and at who wrote what is read there.
"""

from kernel.utcb import MR_COUNT
from lab.checker.candidate import Candidate, Candidates, Row
from lab.checker.finding import Rule
from lab.checker.lives import Store, Turn
from lab.checker.rules import hidden
from lab.checker.shadow import Shadow, Writer
from lab.checker.stream import Access, Call, Where

_OFTEN = 255  # times that a byte was read
_TABLE = 16  # rows, at most


def check(candidates: Candidates, shadow: Shadow, access: Access) -> None:
    """Look at a read of the thread's own message registers, and enter that it was done."""
    is_bulk = shadow.note_run(access)
    start, end = access.offset, min(access.offset + access.size, shadow.limit)
    if is_bulk:
        message = shadow.innermost(access.where)
        if message is not None and message.saved is None:
            message.saved = access.where
    for first, last, writer in shadow.runs(start, end):
        if isinstance(writer, Turn) and writer.may_call is not None:
            hidden.check_read(candidates, access, first, min(last, writer.delivered), writer)
        found = _judge(shadow, access, first, last, writer)
        if found is not None:
            found.is_bulk = is_bulk
            if not is_bulk:
                shadow.bulk.append(candidates.add(found))
            elif found.rule is Rule.STALE_READ and not found.is_intact:
                candidates.add(found)
    if is_bulk and shadow.bulk:
        _settle_bulk(candidates, shadow)


def _settle_bulk(candidates: Candidates, shadow: Shadow) -> None:
    """Judge anew what turned out to be part of a copy.

    Who copies words does not use them yet; wrong ones may matter once they are used.
    """
    for known in shadow.bulk:
        candidates.drop(known)
        if known.rule is Rule.STALE_READ and not known.is_intact:
            known.is_bulk = True
            known.count = 1
            candidates.add(known)
    shadow.bulk.clear()


def _judge(
    shadow: Shadow, access: Access, first: int, last: int, writer: Writer
) -> Candidate | None:
    where = access.where
    message = shadow.innermost(where)
    if message is not None and first >= message.delivered and message.left_out is not None:
        call, stores = message.left_out
        if first in stores:
            return _uncounted(access, first, message, call, stores)
    if isinstance(writer, Store):
        origin = writer.returns
        if origin is None or (
            isinstance(origin, Turn)
            and not origin.is_alive
            and message is not None
            and origin.number < message.number
            and first < message.delivered
        ):
            return _stored(shadow, access, first, last, writer, message)
        if isinstance(origin, Store):
            return _stored(shadow, access, first, last, origin, message)
        if isinstance(origin, Turn):
            found = _delivered(shadow, access, first, last, origin, message)
            if found is not None and found.is_intact and found.clobber is not origin:
                return None  # what was put back is right, and not by luck
            return found
        return None
    if isinstance(writer, Turn):
        return _delivered(shadow, access, first, last, writer, message)
    if message is not None and first >= message.delivered:
        return _beyond(shadow, access, first, last, message)
    return None


def _delivered(
    shadow: Shadow,
    access: Access,
    first: int,
    last: int,
    writer: Turn,
    message: Turn | None,
) -> Candidate | None:
    where = access.where
    if writer.is_alive and (writer.is_open or writer.includes(where)):
        return _alive(shadow, access, first, last, writer, message)
    if message is None:
        return _of_nobody(shadow, access, first, last, writer)
    if first < message.delivered:
        if writer.number < message.number:
            return None
        return _stale(shadow, access, first, last, message, writer, is_delivery=True)
    if writer.number < message.number:
        return _beyond(shadow, access, first, last, message)
    return _of_nobody(shadow, access, first, last, writer)


def _alive(
    shadow: Shadow,
    access: Access,
    first: int,
    last: int,
    writer: Turn,
    message: Turn | None,
) -> Candidate | None:
    """Judge a read of what a live message brought."""
    where = access.where
    outer = _outer(shadow, where, writer, first)
    if writer.is_open:
        call = writer.call.where
        is_own = writer.depth == call.depth == where.depth and call.leaf == where.leaf
        if outer is not None and outer.delivered > first and not is_own:
            return _stale(shadow, access, first, last, outer, writer, is_delivery=True)
        shadow.use(writer, where, access.position)
        message = writer
    stop = min(last, writer.delivered)
    was_read = any(writer.read[first:stop])
    writer.readers = max(writer.readers, where.depth)
    for at in range(first, stop):
        if writer.read[at] < _OFTEN:
            writer.read[at] += 1
    if (
        outer is not None
        and writer.depth <= outer.readers
        and not any(outer.read[first : min(last, outer.delivered)])
    ):
        found = _stale(shadow, access, first, last, outer, writer, is_delivery=True)
        found.rule = Rule.WORD_LOST_UNREAD
        found.is_note = True
        return found
    if was_read:
        return None  # it was used, or saved, when it was there for sure
    if message is not None and message is not writer:
        # A call of the same frame came in between, and its reply did not reach this word.
        if not message.is_kernel and message.sender and writer.number < message.number:
            return _intact(shadow, access, first, last, writer, message)
        return None
    nested = _left(shadow, where, writer) or writer.nested
    if nested is not None and _left_a_mark(shadow, nested):
        return _intact(shadow, access, first, last, writer, nested)
    return None


def _stored(
    shadow: Shadow,
    access: Access,
    first: int,
    last: int,
    store: Store,
    message: Turn | None,
) -> Candidate | None:
    """Judge a read of what an instruction stored."""
    turn = store.turn
    if turn is None or turn.is_open or turn.includes(access.where):
        return _misplaced(shadow, access, first, last, store, message)
    if message is None or first >= message.delivered:
        return _of_nobody(shadow, access, first, last, turn)
    if turn.number < message.number:
        return None
    return _stale(shadow, access, first, last, message, turn, is_delivery=False)


def _misplaced(
    shadow: Shadow,
    access: Access,
    first: int,
    last: int,
    store: Store,
    message: Turn | None,
) -> Candidate | None:
    """Judge a read of one's own store: a callee may have put back the wrong word.

    That is one that the message had elsewhere, stored where others were put back.
    """
    if message is None or message.nested is None or last > message.delivered:
        return None
    at = first - store.offset
    if store.value[at : at + last - first] == message.payload[first:last]:
        return None
    if (
        store.size != shadow.word
        or store.where.calls != message.put_back_by
        or message.put_back < 2 * shadow.word
        or not _is_callee(store.where, access.where)
    ):
        return _never_saved(shadow, access, first, last, store, message)
    word = shadow.word
    words = [message.payload[k : k + word] for k in range(0, message.delivered, word)]
    if store.value not in words:
        return _never_saved(shadow, access, first, last, store, message)
    found = _stale(shadow, access, first, last, message, message.nested, is_delivery=False)
    found.stores = (store,)
    found.checks = {"restore": "another word of the message was put back here"}
    return found


def _never_saved(
    shadow: Shadow, access: Access, first: int, last: int, store: Store, message: Turn
) -> Candidate | None:
    """Judge a read of one's own store over a word of a message.

    It may put back what nobody had saved: a second look sees where its value came from.
    """
    nested = message.nested
    if nested is None or store.number < nested.number or store.turn is not None:
        return None
    found = _stale(shadow, access, first, last, message, nested, is_delivery=False)
    found.rule = Rule.UNBALANCED_RESTORE
    found.restore = store
    found.stores = (store,)
    found.checks = {"restore": "what was put back here had never been saved"}
    return found


def _is_callee(inner: Where, outer: Where) -> bool:
    """Whether a place is in a function that the frame of the other has called."""
    if inner.depth != outer.depth:
        return inner.depth > outer.depth
    chain = outer.leaf
    return len(inner.leaf) > len(chain) and inner.leaf[: len(chain)] == chain


def _outer(shadow: Shadow, where: Where, inner: Turn, offset: int) -> Turn | None:
    for turn in reversed(shadow.turns):
        if (
            turn.number < inner.number
            and turn.received
            and turn.delivered > offset
            and (turn.waits if turn.is_open else turn.includes(where))
        ):
            return turn
    return None


def _left(shadow: Shadow, where: Where, message: Turn) -> Turn | None:
    """Give a later turn of an inlined function that was left; no return tells of that."""
    for turn in reversed(shadow.turns):
        if turn.number <= message.number:
            return None
        is_whole = turn.received and turn.sender and not (turn.is_kernel or turn.is_open)
        if is_whole and not turn.includes(where):
            return turn
    return None


def _left_a_mark(shadow: Shadow, turn: Turn) -> bool:
    """Whether anything that a turn wrote is still there, and was not put back."""
    for writer in set(shadow.writers[: shadow.limit]):
        if writer is turn:
            return True
        if isinstance(writer, Store) and writer.returns is None and writer.turn is turn:
            return True
    return False


def _stale(
    shadow: Shadow,
    access: Access,
    first: int,
    last: int,
    message: Turn,
    clobber: Turn,
    *,
    is_delivery: bool,
) -> Candidate:
    shadow.use(message, access.where, access.position)
    last = min(last, message.delivered)
    expected = message.payload[first:last]
    actual = bytes(shadow.memory[first:last])
    rule = Rule.STALE_READ
    checks: dict[str, str] = {}
    if message.put_back >= 2 * shadow.word:
        checks["restore"] = "some words were put back after the call, this one was not"
        rule = Rule.UNBALANCED_RESTORE
    elif message.saved is not None and _is_callee(message.saved, access.where):
        checks["restore"] = "the words were saved before the call and never put back"
        rule = Rule.UNBALANCED_RESTORE
    return Candidate(
        rule,
        access.thread,
        access.position,
        access.where,
        first,
        last - first,
        expected=expected,
        actual=actual,
        message=message,
        clobber=clobber,
        stores=_stores(shadow, clobber, first, last),
        is_delivery=is_delivery,
        is_open=clobber.is_open,
        was_read=any(message.read[first:last]),
        lender=shadow.previous[first // shadow.word],
        rows=table(shadow, message, first),
        checks=checks,
    )


def _intact(
    shadow: Shadow,
    access: Access,
    first: int,
    last: int,
    message: Turn,
    nested: Turn,
) -> Candidate | None:
    last = min(last, message.delivered)
    value = bytes(shadow.memory[first:last])
    if last <= first or value != message.payload[first:last]:
        return None
    return Candidate(
        Rule.STALE_READ,
        access.thread,
        access.position,
        access.where,
        first,
        last - first,
        expected=value,
        actual=value,
        message=message,
        clobber=nested,
        rows=table(shadow, message, first),
        checks={"overwritten": "no: the call in between had too few words"},
    )


def _beyond(shadow: Shadow, access: Access, first: int, last: int, message: Turn) -> Candidate:
    return Candidate(
        Rule.BEYOND_COUNT,
        access.thread,
        access.position,
        access.where,
        first,
        last - first,
        actual=bytes(shadow.memory[first:last]),
        message=message,
        rows=table(shadow, message, first),
    )


def _uncounted(
    access: Access, first: int, message: Turn, call: Call, stores: dict[int, Store]
) -> Candidate:
    # All of the words are one mistake.
    start, end = min(stores), max(stores) + 1
    return Candidate(
        Rule.COUNT_MISMATCH,
        call.thread,
        call.position,
        call.where,
        start,
        end - start,
        is_call=True,
        cycle=call.cycle,
        message=message,
        stores=(stores[first],),
        reader=(access.thread, access.position),
        receiver=message.thread,
    )


def _of_nobody(
    shadow: Shadow, access: Access, first: int, last: int, writer: Turn
) -> Candidate | None:
    """Judge a read of what no live message brought: a pointer may have been lent before."""
    lender = shadow.previous[first // shadow.word]
    if shadow.writers[first] is writer and last <= writer.delivered:
        later = shadow.latest
        if later is not None and later.number > writer.number:
            lender, writer = writer, later  # which did not reach this word
    if lender is None or lender is writer or last > lender.delivered:
        return None
    return Candidate(
        Rule.DANGLING_POINTER,
        access.thread,
        access.position,
        access.where,
        first,
        last - first,
        expected=lender.payload[first:last],
        actual=bytes(shadow.memory[first:last]),
        message=lender,
        clobber=writer,
        lender=lender,
        stores=_stores(shadow, writer, first, last),
        is_delivery=shadow.writers[first] is writer,
        rows=table(shadow, lender, first),
    )


def _stores(shadow: Shadow, turn: Turn, first: int, last: int) -> tuple[Store, ...]:
    return tuple(
        store
        for store in turn.stores
        if store.offset < last and store.offset + store.size > first
    )


def table(shadow: Shadow, message: Turn, offset: int) -> tuple[Row, ...]:
    """Show the words around an offset as they are now."""
    word = shadow.word
    at = offset // word
    delivered = message.delivered // word
    start = max(at - _TABLE // 2, 0)
    end = min(max(delivered + 1, at + 2), start + _TABLE, MR_COUNT)
    rows = []
    for index in range(start, end):
        low, high = index * word, (index + 1) * word
        known = index < delivered
        rows.append(
            Row(
                index,
                int.from_bytes(message.payload[low:high], "little") if known else None,
                int.from_bytes(shadow.memory[low:high], "little"),
                shadow.writers[low],
                known and any(message.read[low:high]),
            )
        )
    return tuple(rows)
