cimport cython

from emu.blocks cimport BlockTable
from emu.calls cimport Calls

cdef long long NOWHERE
cdef int _FIELDS, _WRITE
cdef unsigned long long PAGE, _ALL


cdef class Recorder:
    cdef public Calls calls
    cdef public object tally
    cdef public long long at
    cdef unsigned long long _base, _size, _origin
    cdef public unsigned long long[::1] rows
    cdef unsigned long long[::1] _words
    cdef object _second, _full
    cdef public Py_ssize_t used
    cdef Py_ssize_t _mark, _capacity
    cdef long long _block_start, _first
    cdef Py_ssize_t _count
    cdef unsigned short[::1] _offsets

    cpdef begin(self)
    cpdef begin_again(self)
    cpdef forget_block(self)
    @cython.locals(
        records=cython.ulonglong[::1],
        kept=Py_ssize_t,
        number=Py_ssize_t,
        at=Py_ssize_t,
        to=Py_ssize_t,
        field=Py_ssize_t,
    )
    cpdef undo(self, unsigned long long ip)
    @cython.locals(
        records=cython.ulonglong[::1], number=Py_ssize_t, at=Py_ssize_t, kind=cython.int
    )
    cpdef load_again(self)
    @cython.locals(
        offset=cython.longlong, below=Py_ssize_t, above=Py_ssize_t, middle=Py_ssize_t
    )
    cpdef long long position(
        self, long long total, long long start, tuple chain, BlockTable blocks, long long ip
    ) except? -1
    @cython.locals(room=cython.int)
    cpdef access(
        self,
        bint is_write,
        unsigned long long address,
        int size,
        unsigned long long value,
        unsigned long long ip,
        long long position,
    )
    @cython.locals(
        records=cython.ulonglong[::1], number=Py_ssize_t, at=Py_ssize_t, kind=cython.int
    )
    cpdef list drain(self)
    cpdef clear(self)
    @cython.locals(records=cython.ulonglong[::1], calls=Calls, at=Py_ssize_t, kind=cython.int)
    cdef _part(
        self,
        bint is_write,
        unsigned long long address,
        int size,
        unsigned long long value,
        unsigned long long ip,
        long long position,
    )
    @cython.locals(at=cython.ulonglong, shift=cython.int, value=cython.ulonglong)
    cdef unsigned long long _load(self, unsigned long long address, int size) except? 0
    @cython.locals(size=Py_ssize_t)
    cdef _grow(self)
    @cython.locals(index=Py_ssize_t)
    cdef _show(self, block)
