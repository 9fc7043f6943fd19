cimport cython

from emu.blocks cimport Block, BlockTable
from emu.clock cimport Clock
from emu.context cimport Context, Held
from emu.engine cimport Cpu, Fault, Inside, Stop
from emu.native_engine cimport NativeRunner
from emu.predict cimport Predictor
from emu.recorder cimport Recorder
from emu.spaces cimport Page, Spaces

cdef int CALLED, RAISED, NOWHERE
cdef int IP, FLAGS, AX, CX, DX, SP, SI, R8, R11, R15
cdef int TAG, SELECTOR, LABEL, TIMEOUT
cdef int DEADLINE, DEBUG, EXCEPTION, PAGE_FAULT, STEPPED, SYSTEM_CALL
cdef int FAULT_FETCH, FAULT_PRESENT, FAULT_WRITE, INVALID_OPCODE, PAGE_VECTOR
cdef long long TRAP_TICKS
cdef int EXECUTE_RIGHT, WRITE_RIGHT
cdef unsigned long long AMD64_SCRATCH, IA32_SCRATCH, _TIMEOUTS


cdef class Stepper:
    cdef Clock _clock
    cdef object _engine
    cdef Spaces _spaces
    cdef NativeRunner _runner
    cdef Predictor _predictor
    cdef bint _amd64
    cdef unsigned long long _mask
    cdef public Recorder recorder
    cdef public long long until, passed

    @cython.locals(cpu=Cpu)
    cpdef int called(self, Context context) except -1
    @cython.locals(held=Held, block=Block, index=cython.int, repeats=cython.bint)
    cpdef Inside resume(self, Context context)
    @cython.locals(stop=Stop)
    cpdef settle(self, Context context)
    @cython.locals(stop=Stop)
    cpdef bint learn(self, Context context) except -1
    cpdef bint is_break(self, Context context) except -1
    cpdef walk(self, Context context, long long limit)
    @cython.locals(
        cpu=Cpu,
        stop=Stop,
        fault=Fault,
        ip=cython.ulonglong,
        chain=tuple,
        place=Py_ssize_t,
        block=Block,
        later=Block,
        index=cython.int,
    )
    cpdef raised(self, Context context, long long limit)
    @cython.locals(cpu=Cpu)
    cpdef int step(self, Context context, long long limit) except -1

    @cython.locals(block=Block)
    cdef tuple _chain(self, Context context, Stop stop)
    cdef _hold(self, Context context, Block block, int index, bint repeats)
    cdef _report(self, Context context, Fault fault)
    @cython.locals(page=Page)
    cdef bint _is_code_write(self, Context context, Fault fault) except -1
