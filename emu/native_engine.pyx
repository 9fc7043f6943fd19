"""The runner in C: the rules of `emu.python_engine`, on C values.

The hooks are entered at every block of guest code and hold the interpreter lock, as a run
does from its start to its end; but a block that is known as exactly one translation, and
a repetition of a string instruction, touch no Python object.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from emu.blocks cimport Block, BlockTable
from emu.clock cimport Clock
from emu.calls cimport Calls
from emu.engine cimport Cpu, Fault, Inside, Stop
from emu.predict cimport Predictor
from emu.recorder cimport Recorder
from emu.screen cimport Screen

from emu.blocks import NOWHERE
from emu.cost import CYCLE_SHIFT
from emu.decode import End
from emu.engine import (
    AX,
    CALLED,
    CX,
    DX,
    ENDLESS,
    EXPIRED,
    FLAGS,
    IP,
    PASSING,
    RAISED,
    SP,
    STEPPED,
    UNKNOWN,
    WALK,
    Hooks,
)
from emu.python_engine import (
    IA32_CALL,
    INVALID_INSTRUCTION,
    MEM_WRITE,
    NO_DEBUG,
    TRAP_FLAG,
    UNBOUNDED,
)
from emu.predict import LAST, LIMIT, LONGEST, RUN
from emu.traps import DEBUG, INVALID_OPCODE

# Constants of other modules as C values.
cdef int called = CALLED, raised = RAISED, expired = EXPIRED, unknown = UNKNOWN
cdef int walk = WALK, stepped = STEPPED, passing = PASSING
cdef int ax = AX, cx = CX, dx = DX, sp = SP, ip = IP, flags = FLAGS
cdef int mem_write = MEM_WRITE
cdef int last = LAST, limit = LIMIT, run = RUN, longest = LONGEST
cdef int64_t endless = ENDLESS
cdef int debug = DEBUG, invalid_opcode = INVALID_OPCODE
cdef int cycle_shift = CYCLE_SHIFT
cdef uint32_t ia32_call = IA32_CALL
cdef int invalid_instruction = INVALID_INSTRUCTION
cdef uint64_t no_debug = NO_DEBUG, trap_flag = TRAP_FLAG
cdef int64_t unbounded = UNBOUNDED

cdef extern from *:
    """
    #define L4LAB_NOWHERE UINT64_MAX
    /* Where a map has the entry of a key if there is no other in its way: a byte offset,
       by the upper bits of a product. */
    #define L4LAB_PLACE(key, mask) ((uint32_t)(key) * 0x9E3779B1u >> 7 & (mask))
    /* Where the slot of a branch is: `emu.predict.slot_of`. */
    #define L4LAB_SLOT(branch) ((((branch) ^ (branch) >> 12) & 4095) * 8)
    #define L4LAB_LIKELY(x) __builtin_expect(!!(x), 1)
    """
    const uint64_t nowhere "L4LAB_NOWHERE"  # no translation begins at the last address
    uint64_t place_of "L4LAB_PLACE"(uint64_t key, uint64_t mask)
    uint64_t slot_of "L4LAB_SLOT"(uint64_t branch)
    bint likely "L4LAB_LIKELY"(bint)

# Ticks between two looks for signals, and for other threads that wait for the lock: some
# milliseconds of the slowest code, and too rare to be measured.
cdef int64_t patience = 1 << 21
cdef size_t smallest = 64  # entries of an empty map
cdef uint16_t unlearned = 0xFFFF


cdef class Known:
    """What a `Cover` says, as C values."""

    cdef object cover
    cdef bint fits, repeats
    cdef int64_t ticks, more, count, margin
    cdef uint64_t after, start, branch
    cdef tuple charged
    cdef Block inside
    cdef uint16_t call

    def __init__(self, cover):
        self.cover = cover
        self.fits = cover.fits
        self.repeats = cover.repeats
        self.ticks = cover.ticks
        self.more = cover.more
        self.count = cover.count
        self.margin = cover.margin
        self.after = nowhere if cover.after == NOWHERE else cover.after
        self.charged = cover.charged
        block = self.inside = cover.inside
        self.start = block.start
        self.branch = block.branch
        self.call = 0
        if cover.after == NOWHERE and block.end is End.CALL:
            self.call = block.stop - block.last


cdef class Map:
    """A map of a block table: open addressing, the next free entry, at most a quarter full.

    It takes what a dictionary takes; only hooks look into it.
    """

    def __cinit__(self):
        self.known = {}
        self.allocate(smallest)

    def __dealloc__(self):
        free(self.entries)

    def clear(self):
        """Take everything out."""
        self.known.clear()
        free(self.entries)
        self.entries = NULL
        self.allocate(smallest)

    cdef int allocate(self, size_t count) except -1:
        cdef size_t at
        self.entries = <Entry *> malloc(count * sizeof(Entry))
        if self.entries == NULL:
            raise MemoryError
        for at in range(count):
            self.entries[at].key = nowhere
        self.mask = (count - 1) * sizeof(Entry)
        self.used = 0
        return 0

    cdef Entry *find(self, uint64_t key) noexcept:
        """Give the entry of a key, or the free one where it would go."""
        cdef uint64_t at = place_of(key, self.mask)
        cdef Entry *entry = <Entry *> (<char *> self.entries + at)
        while entry.key != key and entry.key != nowhere:
            at = at + sizeof(Entry) & self.mask
            entry = <Entry *> (<char *> self.entries + at)
        return entry

    cdef Entry *claim(self, uint64_t key) except NULL:
        """Give the entry of a key, making it if need be."""
        cdef Entry *entry = self.find(key)
        if entry.key == nowhere:
            if self.used * 4 * sizeof(Entry) > self.mask:
                self.grow()
                entry = self.find(key)
            self.used += 1
            entry.key = key
        return entry

    cdef int grow(self) except -1:
        cdef Entry *old = self.entries
        cdef size_t count = self.mask // sizeof(Entry) + 1
        cdef size_t at
        self.allocate(count * 2)
        for at in range(count):
            if old[at].key != nowhere:
                self.find(old[at].key)[0] = old[at]
                self.used += 1
        free(old)
        return 0


cdef class Simple(Map):
    """Translations that are exactly one block."""

    def __init__(self, unsigned short[::1] slots):
        self.slots = slots

    def __setitem__(self, uint64_t address, value):
        size, ticks, again, count, branch = value
        cdef Entry *entry = self.claim(address)
        entry.ticks = ticks
        entry.again = again
        entry.count = count
        entry.call = unlearned
        entry.rest.slot = slot_at(self.slots, branch)
        entry.size = size

    def pop(self, uint64_t address, default):
        """Take a value out if there is one."""
        self.find(address).size = 0  # a free entry is not read


cdef class Covers(Map):
    """All other translations that start a block."""

    def __setitem__(self, uint64_t address, cover):
        known = Known(cover)
        cdef Entry *entry = self.claim(address)
        self.known[address] = known
        entry.rest.cover = <void *> known
        entry.size = cover.size

    def pop(self, uint64_t address, default):
        """Take a value out if there is one."""
        self.find(address).size = 0
        self.known.pop(address, None)


cdef class Tails(Map):
    """Translations that begin inside a block, by their address and that block's end."""

    def __setitem__(self, key, cover):
        known = Known(cover)
        address, stop = key
        cdef Entry *entry = self.claim(tail_key(address, stop))
        self.known[key] = known
        entry.rest.cover = <void *> known
        entry.size = cover.size


cdef inline uint64_t tail_key(uint64_t address, uint64_t stop) noexcept:
    # A block is no longer than a page and an instruction; code lies below 2**47.
    return address << 13 | (stop - address)


cdef class NativeRunner:
    """Executes CPU states by functions of Unicorn called directly."""

    name = "compiled"

    def __init__(self, functions):
        self.start = <Start> <size_t> functions.start
        self.state.halt = <Halt> <size_t> functions.stop
        self.state.runner = <void *> self
        self.state.passes = -1
        self.state.other = on_other_block
        self.state.current = self.state.expected = nowhere
        self.state.call = nowhere
        self.state.goal = self.state.room = endless
        self.predict(Predictor(0))
        self.nothing = Simple(self.slots)
        self.charged = ()

    def __dealloc__(self):
        cdef Region *region
        while self.regions != NULL:
            region = self.regions
            self.regions = region.others
            free(region)

    @property
    def hooks(self):
        """The functions for the hooks of all instances."""
        return Hooks(
            <size_t> <void *> on_block,
            <size_t> <void *> on_interrupt,
            <size_t> <void *> on_clock,
            <size_t> <void *> on_access,
            <size_t> <void *> on_read,
            <size_t> <void *> on_write,
            <size_t> <void *> &self.state,
        )

    def set_marks(self, marks):
        """Take note of where CPU states keep things; before the first `fault` or `step`."""
        self.old_exception = marks.old_exception
        self.error_code = marks.error_code
        self.cr2 = marks.cr2
        self.dr6 = marks.dr6

    cpdef predict(self, Predictor predictor):
        """Let it judge the branches of blocks that have one; before the first run."""
        assert len(predictor.slots) == 4096 * 8, "L4LAB_SLOT has the number, too"
        self.predictor = predictor
        self.slots = predictor.slots
        self.state.other = on_other_block
        if predictor.tage is not None:
            # It learns of every branch: by slots without a limit none is foreseen.
            self.slots = memoryview(bytearray(len(predictor.slots) * 2)).cast("H")
            self.state.other = on_learning_block

    def create_maps(self):
        """Make the maps of a block table."""
        return Simple(self.slots), Covers(), Tails()

    cpdef int execute(
        self, Cpu cpu, BlockTable blocks, Clock clock, int64_t limit, Inside resume
    ) except -1:
        """Run from the state's ip until something stops it; move the clock; say what."""
        cdef State *s = &self.state
        cdef Map simple = <Map> blocks.simple
        cdef Block block
        cdef int status
        s.handle = <void *> cpu.handle
        s.number = cpu.number
        s.words = <uint64_t *> &cpu.words[0]
        s.counter = &s.words[cx]
        s.entries = <char *> simple.entries
        s.mask = simple.mask
        s.ticks = clock.ticks
        s.limit = limit
        s.bound = min(s.look, limit)
        s.soon = 0 if s.slow else s.bound
        s.retired = 0
        s.event = called
        s.vector = -1
        s.current = cpu.previous
        s.stop = cpu.branch
        s.slot = slot_at(self.slots, cpu.branch)
        s.expected = nowhere
        self.table = blocks
        self.charged = ()
        if s.slow:
            s.begun = clock.instructions
            s.room = s.goal - s.begun
            s.call = nowhere
            if self.recorder is not None:
                self.recorder.calls.switch(cpu.number)
                self.recorder.forget_block()
        if resume is not None:
            block = resume.block
            s.current = block.start
            self.charged = (block,)
            self.go_inside(
                block, block.start + <uint64_t> block.offsets[resume.index], resume.repeats
            )
        status = self.start(s.handle, s.words[ip], 0, 0, 0)
        if status or self.failure is not None:
            self.check(status)
        if self.recorder is not None:
            self.settle_records()
        cpu.previous = s.current
        cpu.branch = 0 if s.slot == NULL else s.stop
        clock.ticks = s.ticks
        clock.instructions += s.retired
        return s.event if s.vector < 0 else raised

    cpdef watch(self, Recorder recorder):
        """Let `recorder` record accesses and calls from now on."""
        self.recorder = recorder
        self.state.slow = recorder is not None or self.state.goal != endless

    cpdef screen(self, Screen screen):
        """Let `screen` have the accesses to regions from now on."""
        self.screened = screen

    def region(self, uint64_t base):
        """Give the data for a region of screened memory that begins at a physical address."""
        cdef Region *region = self.regions
        while region != NULL:
            if region.base == base:
                return <size_t> <void *> region
            region = region.others
        region = <Region *> malloc(sizeof(Region))
        if region == NULL:
            raise MemoryError
        region.state = &self.state
        region.base = base
        region.others = self.regions
        self.regions = region
        return <size_t> <void *> region

    cpdef stop_at(self, int64_t position):
        """Let runs stop before a translation that goes beyond a position."""
        self.state.goal = position
        self.state.room = endless
        self.state.slow = self.recorder is not None or position != endless

    cpdef Stop stopped(self):
        """Tell where the last `execute` stopped."""
        cdef State *s = &self.state
        cdef tuple chain = self.charged
        cdef bint nothing = not s.retired and not chain
        if not chain or (<Block> chain[len(chain) - 1]).start != s.current:
            chain = ()
        return Stop(
            NOWHERE if nothing or s.current == nowhere else s.current,
            chain,
            NOWHERE if s.expected == nowhere else s.expected,
            s.repeats,
        )

    cpdef int step(self, Cpu cpu, int64_t now, bint alone) except -1:
        """Execute one instruction without any accounting."""
        cdef State *s = &self.state
        cdef bint flag
        cdef int status
        s.number = cpu.number
        s.words = <uint64_t *> &cpu.words[0]
        # With the trap flag one exception ends it, and a translation that was
        # overwritten by its own instruction may start a second time.
        flag = not alone and not s.words[flags] & trap_flag
        self.begin_step(<void *> cpu.handle, 1 if alone else unbounded, now)
        if self.recorder is not None:
            self.recorder.begin()
        if flag:
            s.words[flags] |= trap_flag
        status = self.start(s.handle, s.words[ip], 0, 0, 0)
        s.passes = -1
        if flag:
            s.words[flags] &= ~trap_flag
        if status or self.failure is not None:
            self.check(status)
        if self.recorder is not None and s.vector >= 0 and s.vector != debug:
            self.recorder.undo(s.words[ip])
        if s.vector == debug:
            (<uint64_t *> (cpu.state + self.dr6))[0] = no_debug
            if flag:
                return stepped
        return s.event if s.vector < 0 else raised

    def enter(self, size_t handle, uint64_t address):
        """Execute one translation of an instance; give the vector raised, or NOWHERE."""
        cdef int status
        self.begin_step(<void *> handle, 1, 0)
        status = self.start(<void *> handle, address, 0, 0, 0)
        self.state.passes = -1
        self.check(status)
        return self.state.vector

    cpdef Fault fault(self, Cpu cpu):
        """Tell about the exception that was just raised, and make the CPU forget it."""
        (<int32_t *> (cpu.state + self.old_exception))[0] = -1
        return Fault(
            self.state.vector,
            (<int32_t *> (cpu.state + self.error_code))[0] & 0xFFFF,
            (<uint64_t *> (cpu.state + self.cr2))[0],
        )

    cdef int begin_step(self, void *handle, int64_t allowed, int64_t now) except -1:
        cdef State *s = &self.state
        s.handle = handle
        s.entries = <char *> self.nothing.entries
        s.mask = self.nothing.mask
        s.ticks = now
        s.event = called
        s.vector = -1
        s.current = s.expected = nowhere
        s.passes = allowed
        self.charged = ()
        return 0

    cdef int check(self, int status) except -1:
        if self.failure is not None:
            error = self.failure
            self.failure = None
            raise error
        if status == invalid_instruction:
            self.state.vector = invalid_opcode
            return 0
        assert not status, f"emulation ended with status {status}"
        return 0

    cdef int other_block(self, uint64_t address, uint32_t size) except -1:
        """Start a translation that is not exactly one known block in time."""
        cdef State *s = &self.state
        cdef bint fresh = address != s.expected
        cdef Entry *entry
        cdef Known cover
        cdef int64_t more, margin
        if s.passes >= 0:
            if s.passes == 0:
                halt(s, stepped)
            elif self.recorder is not None:
                self.recorder.begin_again()
            s.passes -= 1
            return 0
        if self.recorder is not None:
            self.recorder.begin()
        if not fresh and s.repeats:
            if size == s.again_size:
                if not s.counter[0] & s.counter_mask:
                    return 0
                if s.ticks >= s.limit:
                    halt(s, expired)
                elif s.retired > s.room:
                    halt(s, passing)
                else:
                    s.ticks += s.repetition
                return 0
            fresh = True  # the code has changed below it
        if fresh:
            expect(s, nowhere)
            if self.recorder is not None:
                self.arrive(address)
            entry = (<Map> self.table.simple).find(address)
            if entry.key != nowhere and entry.size == size:
                if s.ticks >= s.limit:
                    halt(s, expired)
                elif s.retired + entry.count > s.room:
                    halt(s, passing)
                else:
                    if self.recorder is not None and self.recorder.tally is not None:
                        self.recorder.tally.enter(address, s.ticks, s.begun + s.retired)
                    if s.slot != NULL:
                        self.judge(address)
                    s.stop = address + size
                    s.slot = entry.rest.slot
                    s.ticks += entry.again if s.current == address else entry.ticks
                    s.retired += entry.count
                    s.current = address
                    if entry.call and self.recorder is not None:
                        self.end_in_call(entry)
                return 0
            entry = (<Map> self.table.covers).find(address)
        else:
            entry = (<Map> self.table.tails).find(tail_key(address, self.inside.stop))
        if entry.key == nowhere or entry.size != size:
            self.place = address
            self.place_size = size
            halt(s, unknown)
            return 0
        cover = <Known> entry.rest.cover
        more = cover.more if fresh and s.current == address else 0
        margin = cover.margin
        if margin > 0:
            # What a wrong guess costs comes on top: walking, the deadline is met exactly.
            margin += more
            if s.slot != NULL:
                margin += self.predictor.penalty
        if margin >= 0 and s.ticks + margin >= s.limit:
            halt(s, expired if fresh and s.ticks >= s.limit else walk)
            return 0
        if s.retired + cover.count > s.room:
            halt(s, passing)
            return 0
        if not cover.fits:
            halt(s, walk)
            return 0
        if self.recorder is not None and self.recorder.tally is not None:
            charged, at = cover.charged, s.begun + s.retired
            self.recorder.tally.enter_all(charged, s.ticks, at, more)
        if s.slot != NULL and fresh:
            self.judge(address)
        s.ticks += cover.ticks + more
        s.retired += cover.count
        if cover.count:  # a tail may have been learned in another block of the same end
            s.current = cover.start
            s.stop = cover.branch
            s.slot = slot_at(self.slots, cover.branch)
        if fresh:
            self.charged = cover.charged
        elif cover.charged:
            self.charged = self.charged + cover.charged
        if cover.call:
            s.caller = cover.inside.start
            s.back = cover.inside.stop
            s.call = s.back - cover.call
        return self.go_inside(cover.inside, cover.after, cover.repeats)

    cdef int go_inside(self, Block block, uint64_t after, bint repeats) except -1:
        cdef State *s = &self.state
        self.inside = block
        expect(s, after)
        s.repeats = repeats
        # No translation has no bytes: the hook need not look at `repeats`.
        s.repeat_size = 0
        if repeats:
            s.again_size = block.stop - after
            s.repeat_size = 0 if s.slow else s.again_size
            s.repetition = block.repetition
            s.counter_mask = block.counter_mask
        return 0

    cdef int tell_time(self) except -1:
        """Answer `rdtsc`: what later blocks of the same translation cost is not over."""
        cdef State *s = &self.state
        cdef int64_t now = s.ticks
        cdef tuple charged = self.charged
        if charged and (<Block> charged[len(charged) - 1]).start == s.current:
            for block in reversed(charged):
                if block.start <= s.words[ip] < block.stop:
                    break
                now -= block.ticks
        now >>= cycle_shift
        s.words[ax] = now & 0xFFFFFFFF
        s.words[dx] = now >> 32 & 0xFFFFFFFF
        return 0

    cdef int judge(self, uint64_t address) except -1:
        """Judge the branch that led to a block."""
        cdef State *s = &self.state
        s.ticks += self.predictor.judge(s.stop, address != s.stop)
        return 0

    cdef int end_in_call(self, Entry *entry) except -1:
        """Take note of a block that ends in a call, if it does."""
        cdef State *s = &self.state
        if entry.call == unlearned:
            block = self.table.block(entry.key)
            entry.call = block.stop - block.last if block.end is End.CALL else 0
        if entry.call:
            s.caller = entry.key
            s.back = entry.key + entry.size
            s.call = s.back - entry.call
        return 0

    cdef int arrive(self, uint64_t at) except -1:
        """Account for the frames of the context, which is about to start a block."""
        cdef State *s = &self.state
        cdef Calls calls = self.recorder.calls
        if s.call != nowhere:
            calls.enter(s.call, s.back, at, s.words[sp])
            s.call = nowhere
        elif calls.top < s.words[sp]:
            calls.unwind(s.words[sp])
        return 0

    cdef int access(self, bint is_write, uint64_t address, int size, uint64_t value) except -1:
        """Record what the CPU is about to do."""
        cdef State *s = &self.state
        cdef Recorder recorder = self.recorder
        cdef tuple chain = self.charged
        cdef int64_t position
        if s.passes >= 0:
            position = recorder.at
        else:
            if chain and (<Block> chain[len(chain) - 1]).start != s.current:
                chain = ()
            position = recorder.position(
                s.begun + s.retired, s.current, chain, self.table, s.words[ip]
            )
        recorder.access(is_write, address, size, value, s.words[ip], position)
        return 0

    cdef int settle_records(self) except -1:
        """Account for what an execution recorded, at its end."""
        cdef State *s = &self.state
        cdef uint64_t at = s.words[ip]
        if s.vector >= 0 and s.vector != debug:
            self.recorder.undo(at)
            if s.call != nowhere and s.caller <= at < s.back:
                s.call = nowhere  # it is the call that faulted, or something before
        if s.call != nowhere:
            self.arrive(at)
        return 0


cdef inline uint16_t *slot_at(unsigned short[::1] slots, uint64_t branch) noexcept:
    """Give the predictor's slot of a branch; NULL if it is 0, for none."""
    return &slots[slot_of(branch)] if branch else NULL


cdef inline void expect(State *s, uint64_t address) noexcept:
    s.expected = address
    s.soon = s.bound if address == nowhere and not s.slow else 0


cdef inline void halt(State *s, int why) noexcept:
    s.event = why
    s.halt(s.handle)


cdef void on_block(void *handle, uint64_t address, uint32_t size, void *data) noexcept:
    cdef State *s = <State *> data
    cdef Entry *entry = <Entry *> (s.entries + place_of(address, s.mask))
    if likely(entry.key == address and entry.size == size and s.ticks < s.soon) and (
        s.slot == NULL or is_foreseen(s, address)
    ):
        s.stop = address + size
        s.slot = entry.rest.slot
        s.ticks += entry.again if s.current == address else entry.ticks
        s.retired += entry.count
        s.current = address
        return
    if address == s.expected and size == s.repeat_size:
        if not s.counter[0] & s.counter_mask:
            return
        if s.ticks < s.bound:
            s.ticks += s.repetition
            return
    # Through a pointer: inlined, what this needs would be paid for at every block.
    s.other(s, address, size)


cdef inline bint is_foreseen(State *s, uint64_t address) noexcept:
    """Tell whether a branch went where `Predictor.judge` would only count it, and count."""
    cdef uint16_t *slot = s.slot
    if slot[last] != (address != s.stop) or slot[run] >= slot[limit]:
        return False
    slot[run] += slot[run] < longest
    return True


cdef void on_learning_block(State *s, uint64_t address, uint32_t size) noexcept:
    """Start a block behind a branch of which the predictor learns, or another one."""
    cdef NativeRunner self = <NativeRunner> s.runner
    cdef Entry *entry = <Entry *> (s.entries + place_of(address, s.mask))
    if entry.key != address or entry.size != size or s.ticks >= s.soon or s.slot == NULL:
        on_other_block(s, address, size)
        return
    try:
        self.judge(address)
    except BaseException as error:
        self.failure = error
        halt(s, called)
    s.stop = address + size
    s.slot = entry.rest.slot
    s.ticks += entry.again if s.current == address else entry.ticks
    s.retired += entry.count
    s.current = address


cdef void on_other_block(State *s, uint64_t address, uint32_t size) noexcept:
    """Start a block that is not where the map has it at once, or no simple one, or late."""
    cdef NativeRunner self = <NativeRunner> s.runner
    try:
        if s.ticks >= s.look:
            look_around(s)
        self.other_block(address, size)
    except BaseException as error:
        self.failure = error
        halt(s, called)


cdef int look_around(State *s) except -1:
    """Let signal handlers and other threads run."""
    s.look = s.ticks + patience
    s.bound = min(s.look, s.limit)
    expect(s, s.expected)
    PyErr_CheckSignals()
    with nogil:
        pass
    return 0


cdef void on_interrupt(void *handle, uint32_t number, void *data) noexcept:
    cdef State *s = <State *> data
    if number != ia32_call:
        s.vector = number
    s.halt(s.handle)


cdef int on_clock(void *handle, void *data) noexcept:
    cdef State *s = <State *> data
    cdef NativeRunner self = <NativeRunner> s.runner
    try:
        self.tell_time()
    except BaseException as error:
        self.failure = error
        halt(s, called)
    return 1


cdef void on_access(
    void *handle, int kind, uint64_t address, int size, uint64_t value, void *data
) noexcept:
    cdef State *s = <State *> data
    cdef NativeRunner self = <NativeRunner> s.runner
    try:
        self.access(kind == mem_write, address, size, value)
    except BaseException as error:
        self.failure = error
        halt(s, called)


cdef uint64_t on_read(void *handle, uint64_t offset, uint32_t size, void *data) noexcept:
    cdef Region *region = <Region *> data
    cdef State *s = region.state
    cdef NativeRunner self = <NativeRunner> s.runner
    try:
        return self.screened.read(region.base + offset, size, s.number, s.ticks)
    except BaseException as error:
        self.failure = error
        halt(s, called)
        return 0


cdef void on_write(
    void *handle, uint64_t offset, uint32_t size, uint64_t value, void *data
) noexcept:
    cdef Region *region = <Region *> data
    cdef State *s = region.state
    cdef NativeRunner self = <NativeRunner> s.runner
    try:
        self.screened.write(region.base + offset, size, value, s.number, s.ticks)
    except BaseException as error:
        self.failure = error
        halt(s, called)
