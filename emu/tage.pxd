cimport cython

cdef int TABLES, _ENTRIES, _RING, _INDEX_BITS, _TAG_BITS, _FOLDS, _VALID, _MIDDLE
cdef int _AGEING, _TRUSTED


cdef class Tage:
    cdef unsigned short[::1] _tags, _wanted
    cdef unsigned char[::1] _counters, _useful, _ring
    cdef unsigned int[::1] _folds, _lengths, _places, _outs, _widths
    cdef int _head, _trust, _left, _same
    cdef unsigned long long _quiet

    @cython.locals(
        provider=cython.int,
        alternate=cython.int,
        key=cython.uint,
        table=cython.int,
        fold=cython.int,
        at=cython.uint,
        tag=cython.uint,
        answer=cython.int,
        counter=cython.int,
        mine=cython.int,
        other=cython.int,
        is_settled=cython.bint,
    )
    cpdef int guess(
        self, unsigned long long branch, int taken, int base, int is_sure
    ) except -1
    @cython.locals(
        table=cython.int,
        at=cython.uint,
    )
    cdef int _allocate(self, int first, int taken) except -1
    @cython.locals(at=cython.int)
    cdef int _age(self) except -1
    @cython.locals(
        head=cython.int,
        table=cython.int,
        gone=cython.uint,
        at=cython.int,
        kind=cython.int,
        width=cython.int,
        fold=cython.uint,
    )
    cdef int _remember(self, unsigned int taken) except -1
