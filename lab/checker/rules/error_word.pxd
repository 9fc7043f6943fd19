cimport cython

from lab.checker.lives cimport Store, Turn
from lab.checker.shadow cimport Shadow
from lab.checker.stream cimport Access, Call, Where

cdef int ERROR


@cython.locals(at=cython.int)
cpdef note_error(Shadow shadow, Turn turn)
@cython.locals(where=Where)
cpdef check(candidates, Shadow shadow, Access access)
