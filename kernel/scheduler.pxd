from kernel.objects cimport Thread

cdef int LEVELS, NOBODY


cdef class Scheduler:
    cdef public Thread current, owner
    cdef public long long slice, slice_end
    cdef public int highest
    cdef public list levels

    cpdef enqueue(self, Thread thread, bint front)
    cpdef remove(self, Thread thread)
    cpdef wake(self, Thread thread, long long now)
    cpdef donate(self, Thread thread)
    cpdef block(self)
    cpdef Thread pick(self, long long now)
    cpdef bint is_contested(self) except -1
    cpdef rotate(self, long long now)
    cpdef forget(self, Thread thread)
    cpdef disown(self, Thread thread)
    cdef _displace(self)
    cdef _run(self, Thread thread, long long now)
