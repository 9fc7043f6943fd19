cdef class Utcb:
    cdef public object words
    cpdef copy(self, Utcb to, Py_ssize_t count)
