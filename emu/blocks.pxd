cdef class Block:
    cdef readonly unsigned long long start, stop, last, branch, counter_mask
    cdef readonly tuple offsets
    cdef readonly object end, raises
    cdef readonly long long ticks, again, repetition
    cdef readonly int count

    cpdef int index_of(self, unsigned long long address) except -2


cdef class BlockTable:
    # The maps are the runner's own.
    cdef readonly object simple, covers, tails
    cdef public object breaks
    cdef object _decoder, _fetch
    cdef dict _blocks

    cpdef forget(self)
    cpdef Block block(self, address)
