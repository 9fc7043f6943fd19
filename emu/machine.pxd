cimport cython

from emu.clock cimport Clock
from emu.context cimport Context
from emu.engine cimport Cpu, Inside
from emu.memory cimport Memory
from emu.native_engine cimport NativeRunner
from emu.spaces cimport Space, Spaces
from emu.stepper cimport Stepper

cdef int CALLED, EXPIRED, PASSING, RAISED, WALK, AX, SI
cdef int DEADLINE, STEPPED, SYSTEM_CALL
cdef int CYCLE_SHIFT, TAG, LABEL
cdef long long TRAP_TICKS


cdef class Machine:
    cdef readonly object config
    cdef readonly object _engine
    cdef readonly Memory _memory
    cdef readonly Spaces _spaces
    cdef object _predictor, _watch, _screen
    cdef bint _amd64
    cdef long long _mappings
    cdef unsigned long long _mask
    cdef object _call_page
    cdef Clock _clock
    cdef NativeRunner _runner
    cdef Stepper _stepper
    cdef dict _contexts, _hosted
    cdef tuple _words

    @cython.locals(sp=cython.ulonglong, ip=cython.ulonglong)
    cpdef call_site(self, Context context)
    cpdef charge(self, long long cycles)
    cpdef advance(self, long long until)

    @cython.locals(
        clock=Clock,
        limit=cython.longlong,
        started=cython.longlong,
        cpu=Cpu,
        resume=Inside,
        event=cython.int,
        trap=cython.int,
    )
    cpdef int run(self, Context context, deadline) except -1
    @cython.locals(limit=cython.longlong, started=cython.longlong)
    cpdef int step(self, Context context, deadline) except -1
    @cython.locals(trap=cython.int)
    cpdef int run_until_position(self, Context context, deadline, long long position) except -1
    cpdef bint hosts(self, Context context) except -1
    cdef int _call_hosted(self, Context context) except -1
    @cython.locals(cpu=Cpu)
    cdef void _give_back(self, Context context) noexcept
    @cython.locals(stepper=Stepper, clock=Clock, cpu=Cpu, resume=Inside)
    cdef int _go_on(self, Context context, long long limit, int event) except -1

    @cython.locals(target=Space, fresh=cython.bint, changed=cython.bint)
    cpdef bint map(self, space, address, frame, rights) except -1
    @cython.locals(target=Space)
    cpdef unmap(self, space, address)
    cpdef int accessed(self, space, address) except -1
    @cython.locals(cpu=Cpu)
    cdef _unready(self, Space space)


@cython.locals(near=cython.longlong)
cdef long long _ticks_at(cycle) except -1
