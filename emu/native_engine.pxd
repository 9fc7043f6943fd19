from libc.stdint cimport int64_t, uint32_t, uint64_t

from emu.blocks cimport Block, BlockTable
from emu.clock cimport Clock
from emu.engine cimport Cpu, Fault, Inside, Stop

ctypedef int (*Start)(void *, uint64_t, uint64_t, uint64_t, size_t)
ctypedef int (*Halt)(void *)


cdef struct Entry:
    # A translation; of 32 bytes, which `on_block` relies on.
    uint64_t key  # its address, or what `Tails` makes of address and end of the block
    int64_t ticks
    uint32_t size  # 0: taken out
    uint32_t count
    void *cover  # a Known, borrowed from the map; NULL in `simple`


cdef class Map:
    cdef Entry *entries
    cdef uint64_t mask  # of the last entry, in bytes
    cdef size_t used
    cdef dict known

    cdef Entry *find(self, uint64_t key) noexcept
    cdef Entry *claim(self, uint64_t key) except NULL
    cdef int allocate(self, size_t count) except -1
    cdef int grow(self) except -1


cdef class Simple(Map):
    pass


cdef class Covers(Map):
    pass


cdef class Tails(Map):
    pass


cdef struct State:
    # What the hooks touch at a block that is known.
    uint64_t mask  # of the entries of `simple`,
    char *entries  # which these are
    int64_t ticks
    int64_t soon  # `bound`; 0 while `expected` is an address
    int64_t retired
    uint64_t current
    uint64_t expected
    int64_t bound  # the limit, or before it the ticks of the next look at signals
    void (*other)(State *, uint64_t, uint32_t) noexcept
    uint64_t *counter  # the count register
    uint64_t counter_mask
    int64_t repetition
    uint32_t repeat_size  # 0: none
    # And what they touch at others.
    int event
    int64_t limit, look
    int64_t passes
    bint repeats
    int vector
    uint64_t *words
    void *handle
    Halt halt
    void *runner


cdef class NativeRunner:
    cdef State state
    cdef Start start
    cdef Simple nothing
    cdef BlockTable table
    cdef Block inside
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
    cdef int go_inside(self, Block block, uint64_t after, bint repeats) except -1
    cdef int tell_time(self) except -1
