from libc.stdint cimport int64_t, uint32_t, uint64_t

from emu.blocks cimport BlockTable
from emu.clock cimport Clock
from emu.engine cimport Cpu, Fault, Inside, Stop

ctypedef int (*Start)(void *, uint64_t, uint64_t, uint64_t, size_t)
ctypedef int (*Halt)(void *)


cdef struct Entry:
    # A translation by its address and, if it begins inside a block, the end of that.
    uint64_t address
    uint64_t stop
    int64_t ticks
    uint32_t size  # 0: taken out
    uint32_t count
    void *cover  # a Known, borrowed from the map; NULL in `simple`


cdef class Map:
    cdef Entry *entries
    cdef int shift
    cdef size_t used
    cdef dict known

    cdef Entry *find(self, uint64_t address, uint64_t stop) noexcept
    cdef Entry *claim(self, uint64_t address, uint64_t stop) except NULL
    cdef int allocate(self, int bits) except -1
    cdef int grow(self) except -1


cdef class Simple(Map):
    pass


cdef class Covers(Map):
    pass


cdef class Tails(Map):
    pass


cdef struct State:
    # Everything that the hooks touch at a block that is known.
    int64_t ticks, limit, retired
    uint64_t current, expected
    Entry *entries  # of `simple`
    int shift
    int repeats
    uint64_t *words
    uint64_t counter_mask
    uint32_t repeat_size
    int vector
    int64_t repetition
    int64_t passes
    int64_t patience
    int event
    void *handle
    Halt halt
    void *runner


cdef class NativeRunner:
    cdef State state
    cdef Start start
    cdef Simple nothing
    cdef BlockTable table
    cdef object inside
    cdef tuple charged
    cdef object failure
    cdef int64_t old_exception, error_code, cr2, dr6
    cdef readonly uint64_t place
    cdef readonly uint32_t place_size

    cpdef int execute(
        self, Cpu cpu, BlockTable blocks, Clock clock, int64_t limit, Inside resume
    ) except -1
    cpdef Stop stopped(self)
    cpdef int step(self, Cpu cpu, int64_t now, bint alone) except -1
    cpdef Fault fault(self, Cpu cpu)
    cdef int begin_step(self, void *handle, int64_t allowed, int64_t now) except -1
    cdef int check(self, int status) except -1
    cdef int other_block(self, uint64_t address, uint32_t size) except -1
    cdef int go_inside(self, block, uint64_t after, bint repeats) except -1
    cdef int look_around(self) except -1
    cdef int tell_time(self) except -1
