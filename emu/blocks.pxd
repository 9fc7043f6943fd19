cdef class Block:
    cdef readonly unsigned long long start, stop, last, branch, counter_mask
    cdef readonly tuple offsets
    cdef readonly object end, raises
    cdef readonly long long ticks, first, again, repetition
    cdef readonly int count

    cpdef int index_of(self, unsigned long long address) except -2


cdef class BlockTable:
    # The maps are the runner's own.
    cdef readonly object simple, covers, tails
    cdef public object breaks
    cdef readonly set decoded
    cdef object _decoder, _fetch
    cdef dict _blocks

    cpdef forget(self)
    cpdef bint is_first(self, Block block) except -1
    cpdef take_in(self, Block block)
    cpdef Block block(self, address)
