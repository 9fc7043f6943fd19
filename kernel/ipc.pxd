cimport cython

from kernel.items cimport copy_items
from kernel.message cimport Utcb
from kernel.objects cimport Gate, Irq, Semaphore, Task, Thread
from kernel.recorder cimport Recorder
from kernel.scheduler cimport Scheduler
from kernel.state cimport Kernel

cdef int DEAD, IMPLICIT, READY, RECEIVING, SENDING, REPLY_PAGES
cdef int OP_CALL, OP_OPEN_WAIT, OP_RECV, OP_SEND, LABEL_RIGHTS
cdef int CAP_REPLY_BIT, CAP_SHIFT, CAP_SPECIAL, TIMEOUT_NEVER, TIMEOUT_ZERO
cdef unsigned long long TAG_ERROR, TAG_ITEMS, TAG_ITEMS_SHIFT, TAG_SCHEDULE, TAG_WORDS
cdef int ERROR_WORD, MR_COUNT, _YIELD
cdef int LABEL, SELECTOR, TAG, TIMEOUT
cdef int IN_EXCEPTION, NO_FAULT, NO_TRIGGER, BDR, BDR_ACCEPT_FPU
cdef unsigned long long TAG_TRANSFER_FPU
cdef long long NEVER


@cython.locals(operation=cython.int, receiver=Thread)
cpdef begin(
    Kernel kernel, Thread thread, partner, unsigned long long label, int rights, int via
)
cpdef fail(Kernel kernel, Thread thread, int error)
cpdef expire(Kernel kernel, Thread thread)
cpdef expire_until(Kernel kernel, long long until)
cpdef bury(Kernel kernel, Thread thread)

@cython.locals(task=Task, other=Thread)
cpdef drop_reply(Thread caller)
@cython.locals(caller=Thread)
cpdef Thread take_reply(Thread thread, int slot)
cpdef cancel_timeout(Kernel kernel, Thread thread)
@cython.locals(slot=cython.int)
cdef bint _choose_reply_slot(Kernel kernel, Thread thread, unsigned long long selector)
cdef _queue(Kernel kernel, Thread thread, target)
@cython.locals(place=cython.Py_ssize_t)
cdef _insert(list senders, sender, int priority)
cdef _leave_queue(Thread thread)

@cython.locals(deadline=cython.longlong)
cdef bint _arm(Kernel kernel, Thread thread, int code)

@cython.locals(
    tag=cython.ulonglong, count=cython.Py_ssize_t, error=cython.int, recorder=Recorder
)
cdef bint _transfer(Kernel kernel, Thread sender, Thread receiver)

@cython.locals(slot=cython.int, task=Task, lost=Thread)
cdef _give_reply(Thread caller, Thread receiver)
cdef _after_send(Kernel kernel, Thread thread, Thread receiver)

@cython.locals(
    scheduler=Scheduler, partner=Thread, code=cython.int, donates=cython.bint
)
cdef _receive(Kernel kernel, Thread thread, Thread receiver)

@cython.locals(senders=list)
cdef _eligible(Thread receiver)

@cython.locals(sender=Thread)
cdef _pull(Kernel kernel, Thread receiver, first)
