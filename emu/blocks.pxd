cdef class BlockTable:
    # The maps are the runner's own.
    cdef readonly object simple, covers, tails
    cdef public object breaks
    cdef object _decoder, _fetch
    cdef dict _blocks

    cpdef block(self, address)
