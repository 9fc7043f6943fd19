"""Synchronous IPC: two threads meet and one message crosses; the kernel keeps no copy.

Rule 1: every change of a thread's IPC state happens in this file.
Rule 2: a message is copied when sender and receiver have met, from the sender's UTCB as
it is at that moment.  Words past the count keep what they held (ABI 4.3).
Rule 3: a reply capability is gone when it is used, whatever comes of the reply (ABI 4.2).
Rule 4: the receive phase is settled before the send target is scheduled (ABI 4.2, 4).

The order of events in one invocation is that of ABI 4.2.  `begin` does the caller's part;
when a sender had to queue, the receiver's `_receive` pulls its message and goes on where
the sender stopped.
"""

from bisect import insort

from kernel.abi import (
    CAP_REPLY_BIT,
    CAP_SHIFT,
    CAP_SPECIAL,
    LABEL_RIGHTS,
    OP_OPEN_WAIT,
    OP_RECV,
    OP_SEND,
    TAG_ERROR,
    TAG_ITEMS,
    TAG_ITEMS_SHIFT,
    TAG_SCHEDULE,
    TAG_WORDS,
    TIMEOUT_NEVER,
    TIMEOUT_ZERO,
    IpcError,
)
from kernel.events import Failure, Transfer
from kernel.items import copy_items
from kernel.objects import (
    DEAD,
    IMPLICIT,
    READY,
    RECEIVING,
    REPLY_PAGES,
    SENDING,
    Gate,
    Task,
    Thread,
)
from kernel.port import LABEL, SELECTOR, TAG, TIMEOUT
from kernel.state import Kernel
from kernel.timeout import NEVER, deadline_of
from kernel.utcb import ERROR as ERROR_WORD
from kernel.utcb import MR_COUNT

_make = tuple.__new__  # see kernel.events

OP_CALL = OP_SEND | OP_RECV  # a call if the receive is from the one who was sent to


def begin(
    kernel: Kernel,
    thread: Thread,
    partner: Thread | Gate,
    *,
    label: int,
    rights: int,
    via: int,
) -> None:
    """Start the IPC that `thread`'s system-call registers ask for.

    `partner` is a thread, or a gate that no thread is bound to; a message to it carries
    `label`, came with a capability of `rights`, and through gate number `via` (or 0).
    """
    operation = thread.operation
    thread.label = label
    thread.rights = rights
    thread.via = via
    thread.source = None
    if operation & OP_RECV:
        if not operation & OP_OPEN_WAIT:
            thread.source = partner
        elif not _choose_reply_slot(kernel, thread, thread.registers[SELECTOR]):
            fail(kernel, thread, IpcError.NO_REPLY_CAP)
            return
    if not operation & OP_SEND:
        if isinstance(partner, Gate) and partner.orphaned:
            fail(kernel, thread, IpcError.RECEIVE_NOT_EXISTENT)
        else:
            _receive(kernel, thread, None)
        return
    if isinstance(partner, Gate):
        if partner.orphaned:
            fail(kernel, thread, IpcError.NOT_EXISTENT)
        else:
            _queue(kernel, thread, partner)
        return
    receiver = partner
    if receiver.state == DEAD:
        thread.target = receiver
        fail(kernel, thread, IpcError.NOT_EXISTENT)
        return
    if receiver.state == RECEIVING:
        if receiver.partner is thread:
            drop_reply(receiver)
        if receiver.waits_for(thread):
            if _transfer(kernel, thread, receiver):
                _after_send(kernel, thread, receiver)
            else:
                kernel.scheduler.wake(receiver, kernel.machine.now)
            return
    _queue(kernel, thread, receiver)


def wait_on_self(kernel: Kernel, thread: Thread) -> None:
    """Begin the receive phase that follows an object which does not reply (ABI 6).

    It is an open wait if the caller asked for one, else nothing can end it but its timeout.
    """
    thread.source = thread
    if thread.operation & OP_OPEN_WAIT:
        thread.source = None
        if not _choose_reply_slot(kernel, thread, thread.registers[SELECTOR]):
            fail(kernel, thread, IpcError.NO_REPLY_CAP)
            return
    _receive(kernel, thread, None)


def bind(kernel: Kernel, gate: Gate, thread: Thread, label: int) -> None:
    """Bind a gate to a thread; whoever waited in it is queued at the thread now."""
    gate.thread = thread
    gate.label = label
    gate.orphaned = False
    waiting, gate.senders = gate.senders, []
    for sender in waiting:
        sender.target = thread
        sender.label = label | sender.rights & LABEL_RIGHTS
        if sender.source is gate:
            sender.source = thread
        _insert(thread.senders, sender)
    if thread.state == RECEIVING and not thread.expired:
        first = _eligible(thread)
        if first is not None:
            _pull(kernel, thread, first)
            kernel.scheduler.wake(thread, kernel.machine.now)


def fail(kernel: Kernel, thread: Thread, error: IpcError) -> None:
    """End `thread`'s IPC with an error that it is told; it is ready afterwards.

    After a failed send the tag is the bare error flag, after a failed receive it is the
    tag register as it was with the flag added (ABI 3).  Runs nobody.
    """
    cancel_timeout(kernel, thread)
    if thread.state == SENDING:
        _leave_queue(thread)
    if thread.operation & OP_RECV:
        drop_reply(thread)
    thread.state = READY
    thread.expired = False
    target = thread.target or thread.source
    thread.target = thread.partner = None
    receiving = error & 1 and error != IpcError.NO_REPLY_CAP
    thread.registers[TAG] = TAG_ERROR | (thread.tag if receiving else 0)
    thread.utcb.store(ERROR_WORD, error)
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(
            Failure(
                machine.now,
                machine.instructions,
                thread.number,
                thread.operation,
                target.number if target is not None else 0,
                error,
                machine.call_site(thread.context),
            )
        )


def cancel(kernel: Kernel, thread: Thread) -> None:
    """Abort whatever IPC `thread` waits in, and let it see the error (ABI 4.10)."""
    if thread.state == SENDING:
        fail(kernel, thread, IpcError.SEND_CANCELLED)
    elif thread.state == RECEIVING:
        fail(kernel, thread, IpcError.RECEIVE_CANCELLED)
    else:
        return
    if not thread.queued and kernel.scheduler.current is not thread:
        kernel.scheduler.wake(thread, kernel.machine.now)


def expire(kernel: Kernel, thread: Thread) -> None:
    """End `thread`'s IPC because its timeout is over."""
    sending = thread.state == SENDING
    fail(kernel, thread, IpcError.SEND_TIMEOUT if sending else IpcError.RECEIVE_TIMEOUT)


def expire_until(kernel: Kernel, now: int) -> None:
    """End every IPC whose timeout is over at cycle `now`, by cycle and thread number."""
    timeouts = kernel.timeouts
    while timeouts and timeouts[0][0] <= now:
        thread = kernel.objects[timeouts[0][1]]
        assert isinstance(thread, Thread), "timeouts are of threads"
        expire(kernel, thread)
        kernel.scheduler.wake(thread, now)


def bury(kernel: Kernel, thread: Thread) -> None:
    """Take a thread that is dead out of everybody's way.

    Its queued senders get error 6; who waits for a message of it goes on waiting (ABI 4.10).
    """
    cancel_timeout(kernel, thread)
    if thread.state == SENDING:
        _leave_queue(thread)
    drop_reply(thread)
    thread.state = DEAD
    thread.expired = False
    thread.target = thread.partner = None
    kernel.scheduler.forget(thread)
    if thread.reply is not None:
        thread.reply.replier = None
        thread.reply = None
    for sender in list(thread.senders):
        cancel(kernel, sender)


def abandon(kernel: Kernel, gone: Thread | Gate) -> None:
    """Let go of a thread or gate that is being deleted, so that no IPC names it any more.

    Senders that wait in a gate get error 4, those at a thread are what `bury` looks after.
    Who waits for a message of a thread goes on waiting, for its timeout (ABI 4.10).
    """
    if isinstance(gone, Gate):
        waiting = [other for other in kernel.threads.values() if other.partner is gone]
        for other in gone.senders + waiting:
            fail(kernel, other, IpcError.NOT_EXISTENT)
            kernel.scheduler.wake(other, kernel.machine.now)
    for other in kernel.threads.values():
        if other.partner is gone:
            other.partner = other
        if other.source is gone:
            other.source = other


def drop_reply(caller: Thread) -> None:
    """Take the reply capability to `caller` away from whoever holds it."""
    holder = caller.replier
    if holder is None:
        return
    caller.replier = None
    if isinstance(holder, Task):
        for index, waiting in holder.reply_slots.items():
            if waiting is caller:
                del holder.reply_slots[index]
                return
    elif holder.reply is caller:
        holder.reply = None


def take_reply(thread: Thread, slot: int) -> Thread | None:
    """Empty a reply slot of `thread` and give the caller that it answered, if any.

    The rights of a reply capability are those of the call: the caller still has them.
    """
    if slot == IMPLICIT:
        caller = thread.reply
        thread.reply = None
    else:
        caller = thread.task.reply_slots.pop(slot, None)
    if caller is not None:
        caller.replier = None
    return caller


def cancel_timeout(kernel: Kernel, thread: Thread) -> None:
    """Forget `thread`'s pending timeout, if it has one."""
    if thread.deadline != NEVER:
        kernel.timeouts.remove((thread.deadline, thread.number))
        thread.deadline = NEVER


def _choose_reply_slot(kernel: Kernel, thread: Thread, selector: int) -> bool:
    # Bit 10 without bit 11 names an explicit slot (ABI 1.3).
    if selector & CAP_SPECIAL == CAP_REPLY_BIT:
        slot = selector >> CAP_SHIFT
        if slot >= kernel.arch.reply_limit or not _has_room(kernel, thread.task, slot):
            return False
        thread.reply_slot = slot
    else:
        thread.reply_slot = IMPLICIT
    return True


def _has_room(kernel: Kernel, task: Task, slot: int) -> bool:
    # Slots take kernel memory, a page for many of them; a task gets so much and no more.
    page = slot // kernel.arch.reply_page
    if page not in task.reply_pages:
        if len(task.reply_pages) >= REPLY_PAGES:
            return False
        task.reply_pages.append(page)
    return True


def _queue(kernel: Kernel, thread: Thread, target: Thread | Gate) -> None:
    # The receiver is not ready: wait in its queue (ABI 4.7).
    code = thread.registers[TIMEOUT] >> 16 & 0xFFFF
    thread.target = target
    if code == TIMEOUT_ZERO or not _arm(kernel, thread, code):
        fail(kernel, thread, IpcError.SEND_TIMEOUT)
        return
    thread.state = SENDING
    owner = kernel.scheduler.owner
    thread.queue_priority = owner.priority if owner is not None else thread.priority
    _insert(target.senders, thread)
    kernel.scheduler.block()


def _insert(senders: list[Thread], thread: Thread) -> None:
    place = len(senders)
    while place and senders[place - 1].queue_priority < thread.queue_priority:
        place -= 1
    senders.insert(place, thread)


def _leave_queue(thread: Thread) -> None:
    assert thread.target is not None, "a sender is queued somewhere"
    thread.target.senders.remove(thread)


def _arm(kernel: Kernel, thread: Thread, code: int) -> bool:
    # False if the timeout has passed already.
    if code == TIMEOUT_NEVER:
        return True
    machine = kernel.machine
    deadline = deadline_of(
        code,
        thread.utcb,
        now=machine.now,
        cpu_khz=machine.cpu_khz,
        word=kernel.arch.word,
    )
    if deadline <= machine.now:
        return False
    thread.deadline = deadline
    insort(kernel.timeouts, (deadline, thread.number))
    return True


def _transfer(kernel: Kernel, sender: Thread, receiver: Thread) -> bool:
    """Copy the message; the receiver is ready afterwards, and the sender if this failed.

    A typed item that does not fit cuts the message: both sides get an error, after label
    and words have been delivered (ABI 3).
    """
    tag = sender.tag
    count = tag & TAG_WORDS
    recorder = kernel.recorder
    overwritten = receiver.utcb.read(count) if recorder is not None else b""
    sender.utcb.copy(receiver.utcb, count)
    error = 0
    if tag >> TAG_ITEMS_SHIFT & TAG_ITEMS:
        error = copy_items(kernel, sender, receiver)
        if error:
            error |= 1
            receiver.utcb.store(ERROR_WORD, error)
    receiver.registers[TAG] = tag | TAG_ERROR if error else tag
    receiver.registers[LABEL] = sender.label
    if receiver.deadline != NEVER:
        cancel_timeout(kernel, receiver)
    if receiver.partner is None:
        if sender.operation & OP_CALL == OP_CALL and sender.source is receiver:
            _give_reply(sender, receiver)
    else:
        receiver.partner = None
    receiver.state = READY
    receiver.expired = False
    kernel.cost += kernel.costs.transfer + count * kernel.costs.word
    if kernel.probe is not None:
        kernel.probe.undefined_words(receiver.number, receiver.utcb.words[count:MR_COUNT])
    if recorder is not None:
        machine = kernel.machine
        fields = (
            machine.now,
            machine.instructions,
            sender.number,
            receiver.number,
            sender.operation,
            sender.via,
            tag | TAG_ERROR if error else tag,
            sender.label,
            error,
            receiver.utcb.read(count),
            overwritten,
            machine.call_site(sender.context),
            machine.call_site(receiver.context),
        )
        recorder.record(_make(Transfer, fields))
    if error:
        fail(kernel, sender, IpcError(error & ~1))
        return False
    return True


def _give_reply(caller: Thread, receiver: Thread) -> None:
    # A slot that is still full loses its old caller, who then waits for nobody (ABI 4.6).
    slot = receiver.reply_slot
    if slot == IMPLICIT:
        if receiver.reply is not None:
            receiver.reply.replier = None
        receiver.reply = caller
        caller.replier = receiver
    else:
        task = receiver.task
        lost = task.reply_slots.get(slot)
        if lost is not None:
            lost.replier = None
        task.reply_slots[slot] = caller
        caller.replier = task


def _after_send(kernel: Kernel, thread: Thread, receiver: Thread) -> None:
    """Go on with the caller of a system call whose message has just reached `receiver`."""
    if thread.operation & OP_RECV:
        _receive(kernel, thread, receiver)
    else:
        kernel.scheduler.wake(receiver, kernel.machine.now)


def _receive(kernel: Kernel, thread: Thread, receiver: Thread | None) -> None:
    """Do the current thread's receive phase; `receiver` took its message and is to be woken."""
    scheduler = kernel.scheduler
    source = thread.source
    thread.state = RECEIVING
    thread.partner = source
    sender = _eligible(thread)
    if sender is not None:
        _pull(kernel, thread, sender)
        if receiver is not None:
            scheduler.wake(receiver, kernel.machine.now)
        return
    partner = source if isinstance(source, Thread) else None
    if partner is not None and partner.state == DEAD:
        # A closed receive from a thread that is dead can never end (ABI 3, code 5).
        thread.state = READY
        fail(kernel, thread, IpcError.RECEIVE_NOT_EXISTENT)
        return
    code = thread.registers[TIMEOUT] & 0xFFFF
    if not _arm(kernel, thread, code):
        if receiver is None:
            expire(kernel, thread)
            if source is thread and thread.registers[TIMEOUT] == _YIELD:
                scheduler.rotate(kernel.machine.now)
            return
        # Whoever answers before this thread runs again still finds it waiting (ABI 4.2, 4).
        thread.expired = True
        scheduler.wake(receiver, kernel.machine.now)
        return
    if receiver is None:
        scheduler.block()
        return
    donates = not thread.tag & TAG_SCHEDULE and (
        source is not None or scheduler.owner is not thread
    )
    if donates:
        scheduler.donate(receiver)
        return
    scheduler.wake(receiver, kernel.machine.now)
    if scheduler.current is thread:
        scheduler.block()


_YIELD = TIMEOUT_ZERO << 16 | TIMEOUT_ZERO


def _eligible(receiver: Thread) -> Thread | None:
    # An open wait takes the head of the queue only, a closed one only its partner.
    senders = receiver.senders
    if not senders:
        return None
    partner = receiver.partner
    if partner is None:
        return senders[0]
    return partner if isinstance(partner, Thread) and partner in senders else None


def _pull(kernel: Kernel, receiver: Thread, sender: Thread) -> None:
    """Take the message of a queued sender, and let it go on with its own receive phase.

    That phase may find a queued sender in turn; a loop, since guests choose the length.
    """
    now = kernel.machine.now
    while True:
        cancel_timeout(kernel, sender)
        _leave_queue(sender)
        sender.target = None
        sender.state = READY
        if not _transfer(kernel, sender, receiver) or not sender.operation & OP_RECV:
            break
        sender.state = RECEIVING
        sender.partner = sender.source
        following = _eligible(sender)
        if following is None:
            if not _arm(kernel, sender, sender.registers[TIMEOUT] & 0xFFFF):
                sender.expired = True
                break
            return
        kernel.scheduler.wake(sender, now)
        receiver, sender = sender, following
    kernel.scheduler.wake(sender, now)
