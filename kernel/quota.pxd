cdef class Quota:
    cdef public int number
    cdef public Quota parent
    cdef public long long limit, used
    cdef public bint closed

    # Sizes are Python's numbers: a guest may ask for one of more than 63 bits.
    cpdef bint has(self, size)
    cpdef bint take(self, size)
    cpdef give_back(self, size)
