from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from emu.blocks cimport Block, BlockTable
from emu.clock cimport Clock
from emu.engine cimport Cpu, Fault, Inside, Stop
from emu.predict cimport Predictor
from emu.recorder cimport Recorder
from emu.screen cimport Screen

ctypedef int (*Start)(void *, uint64_t, uint64_t, uint64_t, size_t)
ctypedef int (*Halt)(void *)


cdef union Rest:
    void *cover  # a Known, borrowed from the map
    uint16_t *slot  # in `simple`: the predictor's, if a branch ends it that is guessed


cdef struct Entry:
    # A translation; of 32 bytes, which `on_block` relies on.
    uint64_t key  # its address, or what `Tails` makes of address and end of the block
    uint32_t ticks, again  # once, and if it follows itself; a page of code stays below
    uint32_t size  # 0: taken out
    uint16_t count
    uint16_t call  # the size of the call that ends it; 0: none does, `unlearned`
    Rest rest


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
    cdef unsigned short[::1] slots  # of the predictor


cdef class Covers(Map):
    pass


cdef class Tails(Map):
    pass


cdef struct State:
    # What the hooks touch at a block that is known.
    uint64_t mask  # of the entries of `simple`,
    char *entries  # which these are
    int64_t ticks
    int64_t soon  # `bound`; 0 while `expected` is an address, or every block counts
    int64_t retired
    uint64_t current
    uint64_t expected
    uint64_t stop  # the end of that block, if
    uint16_t *slot  # is not NULL: the predictor's, of its branch that is not judged yet
    int64_t bound  # the limit, or before it the ticks of the next look at signals
    void (*other)(State *, uint64_t, uint32_t) noexcept
    uint64_t *counter  # the count register
    uint64_t counter_mask
    int64_t repetition
    uint32_t repeat_size  # 0: none, or every block counts
    # And what they touch at others.
    int event
    int64_t limit, look
    int64_t passes
    bint repeats
    uint32_t again_size  # of the repetitions of `expected`
    bint slow  # every block counts: there is a recorder, or a position to stop at
    int64_t begun  # instructions completed when all that was charged before is
    int64_t goal, room  # the position to stop at, and how far that is
    uint64_t caller  # the start of the block charged last,
    uint64_t call, back  # the call that ends it and the address after; nowhere: no call
    int vector
    uint64_t *words
    void *handle
    Halt halt
    void *runner
    int64_t number  # of the context


cdef struct Region:
    # Screened memory, as its callbacks know it.
    State *state
    uint64_t base
    Region *others


cdef class NativeRunner:
    cdef State state
    cdef Start start
    cdef Simple nothing
    cdef BlockTable table
    cdef Block inside
    cdef tuple charged
    cdef Recorder recorder
    cdef Predictor predictor
    cdef unsigned short[::1] slots  # keeps them
    cdef Screen screened
    cdef Region *regions
    cdef object failure
    cdef int64_t old_exception, error_code, cr2, dr6
    cdef readonly uint64_t place
    cdef readonly uint32_t place_size

    cpdef int execute(
        self, Cpu cpu, BlockTable blocks, Clock clock, int64_t limit, Inside resume
    ) except -1
    cpdef watch(self, Recorder recorder)
    cpdef screen(self, Screen screen)
    cpdef stop_at(self, int64_t position)
    cpdef predict(self, Predictor predictor)
    cpdef Stop stopped(self)
    cpdef int step(self, Cpu cpu, int64_t now, bint alone) except -1
    cpdef Fault fault(self, Cpu cpu)
    cdef int begin_step(self, void *handle, int64_t allowed, int64_t now) except -1
    cdef int check(self, int status) except -1
    cdef int other_block(self, uint64_t address, uint32_t size) except -1
    cdef int go_inside(self, Block block, uint64_t after, bint repeats) except -1
    cdef int tell_time(self) except -1
    cdef int judge(self, uint64_t address) except -1
    cdef int end_in_call(self, Entry *entry) except -1
    cdef int arrive(self, uint64_t at) except -1
    cdef int access(self, bint is_write, uint64_t address, int size, uint64_t value) except -1
    cdef int settle_records(self) except -1
