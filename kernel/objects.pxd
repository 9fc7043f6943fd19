# What the compiled kernel keeps as C values.  `deadline` and `slice_left` are cycles below
# 2**62, words are unsigned: see timeout.LATEST.

from kernel.message cimport Utcb
from kernel.quota cimport Quota


cdef class Mapping:
    cdef public Task task
    cdef public unsigned long long address, frame
    cdef public int rights
    cdef public Mapping parent, child, previous, next


cdef class Task:
    cdef public int number
    cdef public dict caps, pages, ku_pages, reply_slots
    cdef public Quota quota
    cdef public list reply_pages
    cdef public unsigned long long utcb_area
    cdef public int utcbs
    cdef public bint sigma0, trampolines


cdef class Thread:
    cdef public int number
    cdef public Task task
    cdef public object context
    cdef public unsigned long long[::1] registers
    cdef public Utcb utcb
    cdef public unsigned long long utcb_address, utcb_frame
    cdef public unsigned long long pager, handler
    cdef public object deletion_irq
    cdef public int fault, trigger
    cdef public tuple saved
    cdef public bint alien, allowed, armed
    cdef public unsigned long long trampoline
    cdef public int priority
    cdef public long long slice_left, quantum
    cdef public bint queued
    cdef public int state
    cdef public object target, partner, source
    cdef public int queue_priority
    cdef public list senders
    cdef public long long deadline
    cdef public bint expired
    cdef public Thread reply
    cdef public int reply_slot
    cdef public object replier
    cdef public int operation
    cdef public unsigned long long tag, label
    cdef public int rights, via

    cpdef bint is_bound(self)
    cpdef bint is_runnable(self)
    cpdef bint waits_for(self, Thread sender)


cdef class Gate:
    cdef public int number
    cdef public Thread thread
    cdef public bint orphaned
    cdef public unsigned long long label
    cdef public list senders


cdef class Irq:
    cdef public int number, queue_priority
    cdef public Thread thread
    cdef public unsigned long long label
    cdef public bint pending, queued
    cdef public object pin_of


cdef class Semaphore:
    cdef public int number
    cdef public unsigned long long counter
    cdef public list waiters


cdef class Capability:
    cdef public object object
    cdef public int rights
    cdef public bint counted
