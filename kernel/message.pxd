cimport cython


cdef Py_ssize_t _SHORT


cdef class Utcb:
    cdef public object words, raw_view
    cdef public Py_ssize_t word
    cdef unsigned char[::1] raw
    cdef unsigned long long[::1] pairs

    cpdef read(self, Py_ssize_t count)

    @cython.locals(size=Py_ssize_t, k=Py_ssize_t)
    cpdef copy(self, Utcb to, Py_ssize_t count)
