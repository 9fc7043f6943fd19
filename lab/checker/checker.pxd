cimport cython

from lab.checker.rules cimport (
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
from lab.checker.lives cimport Store, Turn
from lab.checker.shadow cimport Shadow
from lab.checker.stream cimport Access, Arrival, Call, Where, common

cdef unsigned long long CAP_REPLY_BIT, CAP_SPECIAL, TAG_ITEMS, TAG_WORDS
cdef int OP_OPEN_WAIT, OP_RECV, OP_REPLY, OP_SEND, CAP_SHIFT, TAG_ITEMS_SHIFT
cdef int BDR, ERROR, _IN_PAGE_FAULT, _IN_EXCEPTION, _BELOW_ALL


cdef class Checker:
    cdef object _arch
    cdef long long _number, _messages
    cdef dict _shadows
    cdef public object candidates

    cpdef Shadow shadow(self, thread)
    cpdef introduce(self, thread, bytes content)
    @cython.locals(shadow=Shadow, owner=Shadow, store=Store)
    cpdef access(self, Access access)
    @cython.locals(shadow=Shadow, turn=Turn, answered=Turn)
    cpdef call(self, Call call)
    cdef long long _message(self)
    @cython.locals(end=cython.int)
    cdef tuple _words(self, Shadow shadow, Turn turn)
    @cython.locals(where=Where, turn=Turn, end=cython.int, last=Store, is_open=cython.bint)
    cdef Turn _turn(self, Shadow shadow, Call call)
    @cython.locals(kept=list, store=Store, end=cython.int)
    cdef _take_stores(self, Shadow shadow, Turn turn)
    cpdef event(self, event)
    @cython.locals(sender=Shadow, receiver=Shadow, peer=Turn, turn=Turn, end=cython.int)
    cpdef transfer(self, Arrival event)
    cpdef switch(self, int following)
    @cython.locals(where=Where, call=Call, turn=Turn)
    cdef Turn _virtual(self, Shadow shadow, Arrival event)
    cdef _deliver(self, Shadow shadow, Turn turn, bytes data)


cdef _widen(Turn turn, Store store)
cdef bint _is_within(Store store, int depth, tuple chain) except -1
