cimport cython

from emu.tage cimport Tage

cdef int _FIELDS, _RUN, _LIMIT, _LENGTH, _COUNTER, _LAST, _SURE, _MASK
cdef int _LONGEST, _NO_LIMIT, _MOST_SURE, _SURE_ENOUGH, _LONG


cdef class Predictor:
    cdef readonly long long penalty
    cdef bytearray _bytes
    cdef public unsigned short[::1] slots
    cdef readonly Tage tage

    @cython.locals(told=cython.int, guess=cython.int)
    cpdef long long judge(self, unsigned long long branch, int taken) except -1
    @cython.locals(
        slots=cython.ushort[::1],
        at=cython.ulonglong,
        last=cython.int,
        run=cython.int,
        counter=cython.int,
        guess=cython.int,
        sure=cython.int,
        length=cython.int,
        limit=cython.int,
        told=cython.int,
        is_sure=cython.bint,
    )
    cdef int _learn(self, unsigned long long branch, int taken) except -1


cpdef unsigned long long slot_of(unsigned long long branch) except? 0
