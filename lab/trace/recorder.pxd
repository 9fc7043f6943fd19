from lab.trace.format cimport TraceHash


cdef class RunRecorder:
    cdef public object identity, listener, last
    cdef public long long messages, invocations, refusals
    cdef public list faults, refused
    cdef bytearray _log
    cdef TraceHash _hash

    cpdef record(self, event)
    cpdef _note(self, event)
