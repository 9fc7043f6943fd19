cimport cython

cdef Py_ssize_t _FEW


cdef class Utcb:
    cdef public object words, raw_view
    cdef public Py_ssize_t word
    cdef unsigned char[::1] raw
    cdef unsigned long long[::1] wide
    cdef unsigned int[::1] narrow

    cpdef unsigned long long load(self, Py_ssize_t index)
    cpdef store(self, Py_ssize_t index, unsigned long long value)
    cpdef read(self, Py_ssize_t count)

    @cython.locals(size=Py_ssize_t, k=Py_ssize_t)
    cpdef copy(self, Utcb to, Py_ssize_t count)

    @cython.locals(k=Py_ssize_t)
    cpdef widen(self, unsigned long long[::1] out, Py_ssize_t at, Py_ssize_t count)
