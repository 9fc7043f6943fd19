cimport cython

from emu.blocks cimport BlockTable
from emu.memory cimport Memory
from emu.paging cimport PageTables

cdef unsigned long long ACCESSED, DIRTY, FLAGS, NO_EXECUTE, PRESENT, USER, WRITABLE
cdef int EXECUTE_RIGHT, READ_RIGHT, WRITE_RIGHT, STICKY_SHIFT
cdef unsigned long long _OFFSET


cdef class Space:
    cdef readonly long long number
    cdef readonly unsigned long long root
    cdef readonly BlockTable blocks
    cdef readonly list cpus
    cdef readonly dict pages
    cdef public long long local_slot, local_size
    cdef public list local


@cython.freelist(64)
cdef class Page:
    cdef readonly Space space
    cdef readonly unsigned long long address, frame, slot
    cdef readonly int rights
    cdef readonly Page next, previous


cdef class Spaces:
    cdef readonly PageTables tables
    cdef object _decoder
    cdef Memory _memory
    cdef dict _all, _shown, _executable, _fixed
    cdef public object clock
    cdef public bint clock_is_code
    cdef readonly set data_frames

    cpdef Space get(self, number)
    @cython.locals(
        old=Page,
        page=Page,
        first=Page,
        kept=cython.ulonglong,
        slot=cython.ulonglong,
        changed=cython.bint,
        was_code=cython.bint,
    )
    cpdef bint map(self, Space space, address, frame, int rights) except -1
    @cython.locals(page=Page)
    cpdef bint unmap(self, Space space, address) except -1
    @cython.locals(entry=cython.ulonglong, flags=cython.int)
    cpdef int accessed(self, Space space, address) except -1
    @cython.locals(slot=cython.ulonglong, sticky=cython.ulonglong)
    cpdef set_accessed(self, Space space, address, int flags)
    cpdef bint is_code(self, frame) except -1
    cpdef Page lookup(self, Space space, unsigned long long address)
    @cython.locals(page=Page)
    cpdef translate(self, Space space, address)
    @cython.locals(page=Page)
    cpdef forget_code(self, frame)

    cdef Page _page(self, Space space, address)
    @cython.locals(following=Page)
    cdef _unlink(self, Page page)
    @cython.locals(page=Page)
    cdef _refresh(self, frame)
    @cython.locals(
        frame=cython.ulonglong,
        rights=cython.int,
        code=cython.bint,
        data=cython.bint,
        entry=cython.ulonglong,
    )
    cdef _store(self, Page page)
