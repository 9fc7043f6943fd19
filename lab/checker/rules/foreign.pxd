cimport cython

from lab.checker.lives cimport Store, Turn
from lab.checker.shadow cimport Shadow
from lab.checker.stream cimport Access, Call, Where

cdef int FREE_MARKER, SELF


@cython.locals(word=cython.int)
cpdef check(candidates, Shadow owner, Access access)
