cimport cython

cdef unsigned long long NO_SLOT, _RECENT


cdef class Calls:
    cdef dict _nodes, _paths
    cdef unsigned long long _base, _used, _deepest, _limit
    cdef unsigned long long[::1] _parent, _call, _back, _entry, _sp, _depth, _kept, _recent
    cdef public long long number
    cdef public unsigned long long path, depth, low, top

    cpdef switch(self, long long number)
    cpdef enter(
        self,
        unsigned long long call,
        unsigned long long back,
        unsigned long long entry,
        unsigned long long sp,
    )
    cpdef unwind(self, unsigned long long sp)
    @cython.locals(path=cython.ulonglong, at=cython.ulonglong)
    cpdef unsigned long long path_at(self, long long number, unsigned long long sp) except? 0
    @cython.locals(depth=cython.ulonglong, low=cython.ulonglong)
    cpdef unsigned long long take_low(
        self, long long number, unsigned long long path
    ) except? 0
    cpdef unsigned long long mark(self, unsigned long long dropped) except? 0
    @cython.locals(
        place=cython.ulonglong, path=cython.ulonglong, at=cython.ulonglong
    )
    cdef unsigned long long _node(
        self,
        unsigned long long parent,
        unsigned long long call,
        unsigned long long back,
        unsigned long long entry,
        unsigned long long sp,
    ) except? 0
    @cython.locals(at=cython.ulonglong, above=cython.ulonglong)
    cdef unsigned long long _make(
        self,
        unsigned long long parent,
        unsigned long long call,
        unsigned long long back,
        unsigned long long entry,
        unsigned long long sp,
    ) except? 0
    cdef _pop(self)
    @cython.locals(at=cython.ulonglong)
    cdef _go(self, unsigned long long path)
    @cython.locals(path=cython.ulonglong, at=cython.ulonglong)
    cdef _drop_older(self)
    cdef _drop_all(self)
