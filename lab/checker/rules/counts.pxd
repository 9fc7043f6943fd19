cimport cython

from lab.checker.lives cimport Store, Turn
from lab.checker.shadow cimport Shadow
from lab.checker.stream cimport Access, Call, Where

cdef int ERROR


@cython.locals(end=cython.int, writers=list, store=Store, at=cython.int)
cpdef check(candidates, Shadow shadow, Turn turn)
@cython.locals(end=cython.int, message=Turn)
cpdef check_overrun(candidates, Shadow shadow, Access access)
