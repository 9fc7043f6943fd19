cimport cython

from lab.checker.lives cimport Store, Turn
from lab.checker.shadow cimport Shadow
from lab.checker.stream cimport Access, Call, Where

cdef int BDR, ERROR


@cython.locals(word=cython.int, where=Where)
cpdef check(candidates, Shadow shadow, Turn turn)
