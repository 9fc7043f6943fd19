cimport cython


cdef class Utcb:
    cdef public object words
    cdef public Py_ssize_t word
    cdef unsigned char[::1] raw

    @cython.locals(size=Py_ssize_t)
    cpdef copy(self, Utcb to, Py_ssize_t count)
