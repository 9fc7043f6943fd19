cimport cython

from emu.blocks cimport BlockTable
from emu.clock cimport Clock
from emu.context cimport Context, Held
from emu.engine cimport Cpu, Fault, Inside, Stop
from emu.native_engine cimport NativeRunner
from emu.predict cimport Predictor
from emu.recorder cimport Recorder

cdef int CALLED, RAISED
cdef int IP, FLAGS, AX, CX, DX, SP, SI, R8, R11, R15
cdef int TAG, SELECTOR, LABEL, TIMEOUT
cdef int DEADLINE, DEBUG, EXCEPTION, PAGE_FAULT, STEPPED, SYSTEM_CALL
cdef int FAULT_FETCH, FAULT_PRESENT, FAULT_WRITE, INVALID_OPCODE, PAGE_VECTOR
cdef long long TRAP_TICKS
cdef unsigned long long AMD64_SCRATCH, IA32_SCRATCH


cdef class Stepper:
    cdef Clock _clock
    cdef object _engine, _spaces
    cdef NativeRunner _runner
    cdef Predictor _predictor
    cdef bint _amd64
    cdef unsigned long long _mask
    cdef public Recorder recorder
    cdef public long long until

    @cython.locals(cpu=Cpu)
    cpdef int called(self, Context context) except -1
    @cython.locals(held=Held, index=cython.int)
    cpdef Inside resume(self, Context context)
    @cython.locals(stop=Stop)
    cpdef settle(self, Context context)
    @cython.locals(stop=Stop)
    cpdef bint learn(self, Context context) except -1
    cpdef walk(self, Context context, long long limit)
    @cython.locals(cpu=Cpu, stop=Stop, fault=Fault)
    cpdef raised(self, Context context, long long limit)
    @cython.locals(cpu=Cpu)
    cpdef int step(self, Context context, long long limit) except -1

    cdef tuple _chain(self, Context context, Stop stop)
    cdef _hold(self, Context context, block, int index, bint repeats)
    cdef _report(self, Context context, Fault fault)
    cdef bint _is_code_write(self, Context context, Fault fault) except -1
