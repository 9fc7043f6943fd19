cimport cython

from lab.checker.lives cimport Store, Turn
from lab.checker.shadow cimport Shadow
from lab.checker.stream cimport Access, Call, Where

cdef int SELF


@cython.locals(
    word=cython.int,
    first=cython.int,
    last=cython.int,
    end=cython.int,
    start=cython.int,
    stop=cython.int,
)
cpdef check(candidates, Shadow shadow, Access access)
