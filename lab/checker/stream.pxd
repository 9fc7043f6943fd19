cimport cython


cdef class Where:
    cdef public unsigned long long pc
    cdef public tuple calls, chains, leaf
    cdef public int depth

    cpdef tuple chain(self, Py_ssize_t depth)


cdef class Access:
    cdef public long long position
    cdef public int thread, owner, offset, size, low
    cdef public unsigned long long value
    cdef public bint is_write
    cdef public Where where


cdef class Call:
    cdef public long long position, cycle
    cdef public int thread, low
    cdef public unsigned long long selector, tag
    cdef public Where where


cdef class Arrival:
    cdef public long long cycle, position
    cdef public int sender, receiver, via, error
    cdef public unsigned long long operation, tag, label, receiver_ip
    cdef public bytes payload, overwritten


@cython.locals(count=Py_ssize_t)
cpdef tuple common(tuple a, tuple b)
