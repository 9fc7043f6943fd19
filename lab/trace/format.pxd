cdef int _BATCH


cdef class TraceHash:
    cdef object _hash
    cdef int _word
    cdef bytearray _buffer

    cpdef add(self, event)
    cpdef _flush(self)


cpdef bytes encode(event, int word)
