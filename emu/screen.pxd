cimport cython

cdef int _REPORT, _WRITES, _JOINED, _STATE, _NOBODY


cdef class Screen:
    cdef readonly object addresses, states
    cdef unsigned char[::1] _states, _memory
    cdef unsigned short[::1] _table
    cdef unsigned long long _origin, _base
    cdef object _full
    cdef Py_ssize_t _capacity
    cdef list _reports
    cdef long long _context, _when
    cdef unsigned long long _address
    cdef int _size, _state
    cdef bint _is_write

    @cython.locals(at=cython.ulonglong, value=cython.ulonglong, index=cython.int)
    cpdef unsigned long long read(
        self, unsigned long long address, int size, long long context, long long when
    ) except? 0
    @cython.locals(at=cython.ulonglong, index=cython.int)
    cpdef write(
        self,
        unsigned long long address,
        int size,
        unsigned long long value,
        long long context,
        long long when,
    )
    @cython.locals(
        at=cython.ulonglong,
        index=cython.int,
        first=cython.int,
        last=cython.int,
        state=cython.int,
        before=cython.int,
        entry=cython.int,
    )
    cdef _move(
        self,
        int kind,
        unsigned long long address,
        int size,
        long long context,
        long long when,
    )
    @cython.locals(is_write=cython.bint)
    cdef _report(
        self,
        int kind,
        unsigned long long address,
        int size,
        long long context,
        long long when,
        int state,
    )
    cdef _close(self)
