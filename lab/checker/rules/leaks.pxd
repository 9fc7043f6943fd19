cimport cython

from lab.checker.lives cimport Store, Turn
from lab.checker.shadow cimport Shadow
from lab.checker.stream cimport Access, Call, Where


@cython.locals(where=Where, answered=Turn, end=cython.int, at=cython.int, is_older=cython.bint)
cpdef collect(Shadow shadow, Turn turn)
@cython.locals(at=cython.int, source=Turn)
cpdef check(candidates, Shadow shadow, Turn turn)
