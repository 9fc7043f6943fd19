cimport cython


cdef class Quota:
    cdef public int number
    cdef public Quota parent
    cdef public long long limit, used
    cdef public bint closed

    cpdef bint has(self, long long size)
    cpdef bint take(self, long long size)
    @cython.locals(quota=Quota)
    cpdef give_back(self, long long size)
