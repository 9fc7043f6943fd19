cdef class Clock:
    cdef public long long ticks, instructions
