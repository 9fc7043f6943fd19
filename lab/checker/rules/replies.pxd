cimport cython

from lab.checker.lives cimport Store, Turn
from lab.checker.shadow cimport Shadow
from lab.checker.stream cimport Access, Call, Where


cpdef note_caller(Shadow shadow, Turn turn)
@cython.locals(where=Where, message=Turn, nested=Turn)
cpdef check(candidates, Shadow shadow, Turn turn)
