cimport cython

from kernel.message cimport Utcb
from kernel.objects cimport Thread
from kernel.recorder cimport Recorder

cdef int LABEL, TAG, KIND_BITS, TRANSFER_HEAD
cdef unsigned long long TAG_WORDS, _KIND, _ONE
cdef Py_ssize_t _ROOM, CHUNK
cdef int TRANSFER, SWITCH, SWITCH_WORDS, _OBJECT


cdef class Follower:
    cpdef transfer(
        self,
        long long cycle,
        long long position,
        int sender,
        int receiver,
        int operation,
        int via,
        unsigned long long tag,
        unsigned long long label,
        int error,
        unsigned long long receiver_ip,
        bytes payload,
        bytes overwritten,
    )
    cpdef switch(self, int following)
    cpdef event(self, event)


cdef class RunRecorder(Recorder):
    cdef public object identity
    cdef public list listeners
    cdef public long long messages, invocations, refusals, remarked
    cdef public list faults, refused, remarks
    cdef public Follower follower
    cdef public object names, sink
    cdef bytearray _log
    cdef object _hash, _bytes
    cdef int _word
    cdef unsigned long long[::1] _out, _old
    cdef unsigned long long _kinds, _objects
    cdef Py_ssize_t _end, _last, _hashed, _given, _records
    cdef bytes _previous, _before

    @cython.locals(
        tag=cython.ulonglong,
        count=Py_ssize_t,
        size=Py_ssize_t,
        at=Py_ssize_t,
        k=Py_ssize_t,
    )
    cpdef transfer(
        self,
        long long cycle,
        long long position,
        int sender,
        Thread receiver,
        int operation,
        int via,
        int error,
        unsigned long long sender_ip,
        unsigned long long receiver_ip,
    )
    cpdef prepare(self, Utcb utcb, Py_ssize_t count)
    @cython.locals(at=Py_ssize_t)
    cpdef switch(self, long long cycle, long long position, int previous, int following)
    @cython.locals(
        record=list,
        size=Py_ssize_t,
        k=Py_ssize_t,
        kind=cython.ulonglong,
        at=Py_ssize_t,
        party=cython.ulonglong,
    )
    cpdef record(self, event)
    cpdef flush(self)
    @cython.locals(at=Py_ssize_t)
    cdef _close(self, Py_ssize_t size)
    @cython.locals(cycle=cython.ulonglong, position=cython.ulonglong)
    cdef _close_chunk(self)
    cdef _give(self)
    cdef _turn(self)
    cdef _digest(self)
    cdef _note(self, event)
