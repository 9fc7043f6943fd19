"""Synchronous IPC: two threads meet and one message crosses; the kernel keeps no copy.

Rule 1: every change of a thread's IPC state happens in this file.
Rule 2: a message is copied when sender and receiver have met, from the sender's UTCB as
it is at that moment.  Words past the count keep what they held (ABI 4.3).
Rule 3: a reply capability is gone when it is used, whatever comes of the reply (ABI 4.2).
Rule 4: the receive phase is settled before the send target is scheduled (ABI 4.2, 4).
Rule 5: an IRQ's message is a tag of 0 and its label; no word of the UTCB is touched and no
reply capability made (ABI 5.3).

The order of events in one invocation is that of ABI 4.2.  `begin` does the caller's part;
when a sender had to queue, the receiver's `_receive` pulls its message and goes on where
the sender stopped.
"""

from bisect import insort
from typing import TypeVar

from kernel import frame
from kernel.abi import (
    BDR_ACCEPT_FPU,
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
    TAG_TRANSFER_FPU,
    TAG_WORDS,
    TIMEOUT_NEVER,
    TIMEOUT_ZERO,
    IpcError,
    Rights,
)
from kernel.events import Awoken, Failure, Firing, Interrupt, Transfer
from kernel.items import copy_items, record_items
from kernel.objects import (
    DEAD,
    IMPLICIT,
    IN_EXCEPTION,
    NO_FAULT,
    NO_TRIGGER,
    READY,
    RECEIVING,
    REPLY_PAGES,
    SENDING,
    Gate,
    Irq,
    Semaphore,
    Task,
    Thread,
)
from kernel.port import LABEL, SELECTOR, TAG, TIMEOUT
from kernel.state import Kernel
from kernel.timeout import NEVER, deadline_of
from kernel.utcb import BDR, MR_COUNT
from kernel.utcb import ERROR as ERROR_WORD

OP_CALL = OP_SEND | OP_RECV  # a call if the receive is from the one who was sent to

Sender = TypeVar("Sender", Thread, Thread | Irq)


def begin(
    kernel: Kernel,
    thread: Thread,
    partner: Thread | Gate | Irq,
    *,
    label: int,
    rights: int,
    via: int,
) -> None:
    """Start the IPC that `thread`'s system-call registers ask for.

    `partner` is a thread, or a gate that no thread is bound to; a message to it carries
    `label`, came with a capability of `rights`, and through gate number `via` (or 0).  From
    an IRQ one can receive only.
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
    assert isinstance(partner, Thread), "nothing is sent to an IRQ"
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


def wait_after(kernel: Kernel, thread: Thread, source: Irq | None) -> None:
    """Begin the receive phase that follows an object which does not reply (ABI 6).

    It is an open wait if the caller asked for one, else it is closed: from an IRQ, or from the
    caller itself, and then nothing can end it but its timeout.
    """
    thread.source = source or thread
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
        _insert(thread.senders, sender, sender.queue_priority)
    if thread.state == RECEIVING and not thread.expired:
        first = _eligible(thread)
        if first is not None:
            _pull(kernel, thread, first)
            kernel.scheduler.wake(thread, kernel.machine.now)


def interrupt(kernel: Kernel, irq: Irq) -> Thread | None:
    """Let an IRQ send its message; a thread that took it at once comes back, to be woken.

    While a message is queued another one adds nothing; without a thread the IRQ stays
    pending until it is bound (ABI 6.5).
    """
    thread = irq.thread
    if thread is not None and thread.state == DEAD:
        thread = irq.thread = None
    taken = False
    if thread is None:
        irq.pending = True
        firing = Firing.PENDING
    elif irq.queued:
        firing = Firing.COALESCED
    else:
        taken = thread.state == RECEIVING and (thread.partner is None or thread.partner is irq)
        firing = Firing.DELIVERED if taken else Firing.QUEUED
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(Interrupt(machine.now, machine.instructions, irq.number, firing))
    if thread is None or irq.queued:
        return None
    if taken:
        _transfer_interrupt(kernel, irq, thread)
        return thread
    irq.queued = True
    _insert(thread.senders, irq, irq.queue_priority)
    return None


def withdraw(irq: Irq) -> bool:
    """Take an IRQ's message back if it is queued; answer whether it was."""
    if not irq.queued:
        return False
    assert irq.thread is not None, "a message is queued at the thread it is for"
    irq.thread.senders.remove(irq)
    irq.queued = False
    return True


def wait_at(kernel: Kernel, thread: Thread, semaphore: Semaphore) -> None:
    """Let the current thread wait at a semaphore, no longer than its receive timeout."""
    thread.source = thread.partner = semaphore
    if not _arm(kernel, thread, thread.registers[TIMEOUT] & 0xFFFF):
        fail(kernel, thread, IpcError.RECEIVE_TIMEOUT)
        return
    thread.state = RECEIVING
    owner = kernel.scheduler.owner
    thread.queue_priority = owner.priority if owner is not None else thread.priority
    _insert(semaphore.waiters, thread, thread.queue_priority)
    kernel.scheduler.block()


def release(kernel: Kernel, semaphore: Semaphore) -> Thread | None:
    """End the wait of the first thread at a semaphore; it comes back, to be woken."""
    if not semaphore.waiters:
        return None
    thread = semaphore.waiters.pop(0)
    cancel_timeout(kernel, thread)
    thread.state = READY
    thread.partner = None
    thread.registers[TAG] = result = 0 if thread.operation & OP_RECV else thread.tag
    if kernel.recorder is not None:
        machine = kernel.machine
        kernel.recorder.record(
            Awoken(
                machine.now,
                machine.instructions,
                thread.number,
                semaphore.number,
                result,
                machine.call_site(thread.context),
            )
        )
    return thread


def forsake(kernel: Kernel, gone: Thread | Gate | Irq | Semaphore) -> None:
    """Let nobody's IPC name an object that is being deleted.

    Who waits for a message of it goes on waiting, for its timeout (ABI 4.10).
    """
    for thread in kernel.threads.values():
        if thread.partner is gone:
            thread.partner = thread
        if thread.source is gone:
            thread.source = thread


def close(kernel: Kernel, gate: Gate) -> None:
    """End all IPC with a gate that is being deleted: error 4 (ABI 4.5)."""
    receivers = [other for other in kernel.threads.values() if other.partner is gate]
    for thread in gate.senders + receivers:
        fail(kernel, thread, IpcError.NOT_EXISTENT)
        kernel.scheduler.wake(thread, kernel.machine.now)
    forsake(kernel, gate)


def fail(kernel: Kernel, thread: Thread, error: IpcError) -> None:
    """End `thread`'s IPC with an error that it is told; it is ready afterwards.

    After a failed send the tag is the bare error flag, after a failed receive it is the
    tag register as it was with the flag added (ABI 3), and the bare flag after a failed wait
    at a semaphore (ABI 13, 3).  Runs nobody.
    """
    cancel_timeout(kernel, thread)
    if thread.state == SENDING:
        _leave_queue(thread)
    if thread.operation & OP_RECV:
        drop_reply(thread)
    thread.state = READY
    thread.expired = False
    target = thread.target or thread.source
    receiving = error & 1 and error != IpcError.NO_REPLY_CAP
    if isinstance(thread.partner, Semaphore):
        receiving = False
        _leave_semaphore(thread, thread.partner)
    thread.target = thread.partner = None
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


def expire_until(kernel: Kernel, until: int) -> None:
    """End every IPC whose timeout is over at cycle `until`, by cycle and thread number."""
    timeouts = kernel.timeouts
    while timeouts and timeouts[0][0] <= until:
        thread = kernel.objects[timeouts[0][1]]
        assert isinstance(thread, Thread), "timeouts are of threads"
        expire(kernel, thread)
        kernel.scheduler.wake(thread, kernel.machine.now)


def bury(kernel: Kernel, thread: Thread) -> None:
    """Take a thread that is dead out of everybody's way.

    Its queued senders get error 6; who waits for a message of it goes on waiting (ABI 4.10).
    An IRQ that is queued becomes pending and bound to nobody (ABI 4.7).
    """
    cancel_timeout(kernel, thread)
    if thread.state == SENDING:
        _leave_queue(thread)
    elif isinstance(thread.partner, Semaphore):
        _leave_semaphore(thread, thread.partner)
    drop_reply(thread)
    thread.state = DEAD
    thread.expired = False
    thread.fault = NO_FAULT
    thread.trigger = NO_TRIGGER
    thread.target = thread.partner = None
    kernel.scheduler.forget(thread)
    if thread.reply is not None:
        thread.reply.replier = None
        thread.reply = None
    for sender in list(thread.senders):
        if isinstance(sender, Irq):
            withdraw(sender)
            sender.pending = True
            sender.thread = None
        else:
            cancel(kernel, sender)


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
    if isinstance(target, Gate):
        _insert(target.senders, thread, thread.queue_priority)
    else:
        _insert(target.senders, thread, thread.queue_priority)
    kernel.scheduler.block()


def _insert(senders: list[Sender], sender: Sender, priority: int) -> None:
    place = len(senders)
    while place and senders[place - 1].queue_priority < priority:
        place -= 1
    senders.insert(place, sender)


def _leave_queue(thread: Thread) -> None:
    assert thread.target is not None, "a sender is queued somewhere"
    thread.target.senders.remove(thread)


def _leave_semaphore(thread: Thread, semaphore: Semaphore) -> None:
    # A timeout that is over at once never let it wait.
    if thread in semaphore.waiters:
        semaphore.waiters.remove(thread)


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
    registers: tuple[int, ...] = ()
    if recorder is not None:
        recorder.prepare(receiver.utcb, count)
        if receiver.fault == IN_EXCEPTION:
            registers = frame.load(kernel.arch, receiver)
    if sender.fault == IN_EXCEPTION or receiver.fault == IN_EXCEPTION:
        _copy_frame(kernel, sender, receiver, count)
    else:
        sender.utcb.copy(receiver.utcb, count)
    if tag & TAG_TRANSFER_FPU:
        _copy_fpu(sender, receiver)
    error = 0
    if tag >> TAG_ITEMS_SHIFT & TAG_ITEMS:
        if receiver.fault != IN_EXCEPTION or count >= frame.words(kernel.arch):
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
        # Where items were, too, something stands that the ABI says.
        defined = min(count + 2 * (tag >> TAG_ITEMS_SHIFT & TAG_ITEMS), MR_COUNT)
        kernel.probe.undefined_words(receiver.number, receiver.utcb.words[defined:MR_COUNT])
    if registers:
        _record_answer(kernel, sender, receiver, error, registers)
    elif recorder is not None:
        machine = kernel.machine
        recorder.transfer(
            machine.now,
            machine.instructions,
            sender.number,
            receiver,
            sender.operation,
            sender.via,
            error,
            machine.call_site(sender.context),
            machine.call_site(receiver.context),
        )
        if tag >> TAG_ITEMS_SHIFT & TAG_ITEMS:
            record_items(kernel, sender, receiver)
    if error:
        fail(kernel, sender, IpcError(error & ~1))
        return False
    return True


def _copy_frame(kernel: Kernel, sender: Thread, receiver: Thread, count: int) -> None:
    # A thread with an exception sends its trap frame and is answered with one (ABI 5.2).
    arch = kernel.arch
    if sender.fault == IN_EXCEPTION:
        words = frame.load(arch, sender)
    else:
        words = sender.utcb.load_words(count)
    if receiver.fault != IN_EXCEPTION:
        for k, word in enumerate(words):
            receiver.utcb.store(k, word)
    elif count >= frame.words(arch):
        frame.store(arch, receiver, words)


def _record_answer(
    kernel: Kernel, sender: Thread, receiver: Thread, error: int, registers: tuple[int, ...]
) -> None:
    # To an exception: the message went to registers, and `registers` is what they held.
    machine = kernel.machine
    word = kernel.arch.word
    payload = sender.utcb.read(sender.tag & TAG_WORDS)
    held = b"".join(value.to_bytes(word, "little") for value in registers)
    assert kernel.recorder is not None, "there is somebody to tell"
    kernel.recorder.record(
        Transfer(
            machine.now,
            machine.instructions,
            sender.number,
            receiver.number,
            sender.operation,
            sender.via,
            int(receiver.registers[TAG]),
            sender.label,
            error,
            machine.call_site(sender.context),
            machine.call_site(receiver.context),
            payload,
            held[: len(payload)].ljust(len(payload), b"\0"),
        )
    )


def _copy_fpu(sender: Thread, receiver: Thread) -> None:
    # If the receiver wants it, and the sender may (ABI 4.3).
    if sender.rights & Rights.S and receiver.utcb.load(BDR) & BDR_ACCEPT_FPU:
        receiver.context.copy_fpu(sender.context)


def _transfer_interrupt(kernel: Kernel, irq: Irq, receiver: Thread) -> None:
    """Give a thread the message of an IRQ; it is ready afterwards."""
    cancel_timeout(kernel, receiver)
    receiver.registers[TAG] = 0
    receiver.registers[LABEL] = irq.label
    receiver.partner = None
    receiver.state = READY
    receiver.expired = False
    kernel.cost += kernel.costs.transfer
    if kernel.probe is not None:
        kernel.probe.undefined_words(receiver.number, receiver.utcb.words[:MR_COUNT])
    recorder = kernel.recorder
    if recorder is not None:
        machine = kernel.machine
        site = machine.call_site(receiver.context)
        recorder.prepare(receiver.utcb, 0)
        recorder.transfer(
            machine.now, machine.instructions, irq.number, receiver, OP_SEND, 0, 0, 0, site
        )


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


def _eligible(receiver: Thread) -> Thread | Irq | None:
    # An open wait takes the head of the queue only, a closed one only its partner.
    senders = receiver.senders
    if not senders:
        return None
    partner = receiver.partner
    if partner is None:
        return senders[0]
    if isinstance(partner, (Thread, Irq)) and partner in senders:
        return partner
    return None


def _pull(kernel: Kernel, receiver: Thread, first: Thread | Irq) -> None:
    """Take the message of a queued sender, and let it go on with its own receive phase.

    That phase may find a queued sender in turn; a loop, since guests choose the length.
    """
    now = kernel.machine.now
    while True:
        if isinstance(first, Irq):
            withdraw(first)
            _transfer_interrupt(kernel, first, receiver)
            return
        sender = first
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
        receiver, first = sender, following
    kernel.scheduler.wake(sender, now)
