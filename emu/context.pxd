from emu.blocks cimport BlockTable
from emu.engine cimport Cpu
from emu.spaces cimport Space

cdef int IP, SP, AX, SI, DEADLINE, SYSTEM_CALL


cdef class Held:
    cdef readonly unsigned long long start, ip
    cdef readonly bint repeats


cdef class Context:
    cdef readonly object number, slot, thread_base
    cdef readonly Space space
    cdef readonly BlockTable blocks
    cdef readonly Cpu cpu
    cdef readonly list descriptors
    cdef public long long ticks
    cdef public int trap
    cdef public Held held
    cdef readonly unsigned long long[::1] registers
    cdef public unsigned long long address
    cdef public int error, vector
    cdef public object site
    cdef public unsigned long long site_sp
    cdef public long long site_mappings
    cdef object _engine
    cdef unsigned long long _mask
