cdef class Memory:
    cdef readonly object ram, shared, tables

    cpdef bint is_guest_frame(self, frame) except -1
