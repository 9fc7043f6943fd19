cimport cython

from lab.checker.lives cimport Store, Turn
from lab.checker.shadow cimport Shadow
from lab.checker.stream cimport Access, Call, Where

cdef int OP_REPLY, _HIDDEN


@cython.locals(where=Where, message=Turn, unread=Py_ssize_t, word=cython.int)
cpdef check(candidates, Shadow shadow, Turn turn)
@cython.locals(message=Turn)
cpdef note_call(Shadow shadow, position, name, Where where)
cpdef check_read(candidates, Access access, int first, int last, Turn message)
