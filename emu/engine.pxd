from emu.blocks cimport Block


cdef class Cpu:
    cdef public bytearray blob
    cdef public unsigned long long root
    cdef public unsigned long long[::1] words
    cdef public object host
    cdef public unsigned long long handle, state, branch
    cdef public bint ready
    cdef public long long stamp
    cdef public long long number, previous


cdef class Inside:
    cdef readonly Block block
    cdef readonly int index
    cdef readonly bint repeats


cdef class Fault:
    cdef readonly int vector, error
    cdef readonly unsigned long long address


cdef class Stop:
    # Addresses are Python's numbers, because NOWHERE is negative.
    cdef readonly object current, expected
    cdef readonly tuple charged
    cdef readonly bint repeats
