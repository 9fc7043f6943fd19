cimport cython

from lab.checker.lives cimport Store, Turn
from lab.checker.shadow cimport Shadow
from lab.checker.stream cimport Access, Call, Where

from lab.checker.rules.reads cimport table

cdef unsigned long long CAP_REPLY_BIT, CAP_SPECIAL, TAG_WORDS
cdef int CAP_SHIFT, OP_REPLY, BDR, ERROR


@cython.locals(
    writers=list,
    start=cython.int,
    in_buffers=cython.bint,
    lost=dict,
    where=Where,
    at=cython.int,
    depth=cython.int,
)
cpdef note_store(Shadow shadow, Access access)
@cython.locals(lost=dict, at=cython.int)
cpdef note_stored(Shadow shadow, Store store)
@cython.locals(at=cython.int, end=cython.int, writers=list)
cpdef note_delivery(Shadow shadow, int start, int size)
cpdef check(candidates, Shadow shadow, Turn turn)
cpdef forget(Shadow shadow)

cdef bint _is_late(Shadow shadow, Turn turn, Store store, Turn clobber) except -1
cdef bint _is_for(Store store, Turn turn) except -1
cdef bint _is_below(Store store, lost) except -1
