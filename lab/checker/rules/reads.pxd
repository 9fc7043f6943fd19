cimport cython

from lab.checker.lives cimport Store, Turn
from lab.checker.shadow cimport Shadow
from lab.checker.stream cimport Access, Call, Where

cdef int MR_COUNT, _OFTEN, _TABLE


@cython.locals(
    is_bulk=cython.bint, start=cython.int, end=cython.int, first=cython.int, last=cython.int, message=Turn
)
cpdef check(candidates, Shadow shadow, Access access)
cdef _settle_bulk(candidates, Shadow shadow)
@cython.locals(where=Where, message=Turn)
cdef _judge(Shadow shadow, Access access, int first, int last, writer)
@cython.locals(where=Where)
cdef _delivered(Shadow shadow, Access access, int first, int last, Turn writer, Turn message)
@cython.locals(
    where=Where, outer=Turn, at=cython.int, stop=cython.int, nested=Turn, is_own=cython.bint,
    was_read=cython.bint
)
cdef _alive(Shadow shadow, Access access, int first, int last, Turn writer, Turn message)
@cython.locals(turn=Turn)
cdef _stored(Shadow shadow, Access access, int first, int last, Store store, Turn message)
cdef _misplaced(Shadow shadow, Access access, int first, int last, Store store, Turn message)
cdef bint _is_callee(Where inner, Where outer) except -1
@cython.locals(turn=Turn)
cdef Turn _outer(Shadow shadow, Where where, Turn inner, int offset)
@cython.locals(turn=Turn)
cdef Turn _left(Shadow shadow, Where where, Turn message)
cdef bint _left_a_mark(Shadow shadow, Turn turn) except -1
cpdef tuple table(Shadow shadow, Turn message, int offset)
