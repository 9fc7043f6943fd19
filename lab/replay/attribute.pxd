cimport cython

from emu.calls cimport Calls
from emu.context cimport Context
from emu.machine cimport Machine
from emu.recorder cimport Recorder
from lab.checker.checker cimport Checker
from lab.checker.stream cimport Access, Arrival, Call, Where
from lab.recorder cimport Follower

cdef int STEPPED, SYSTEM_CALL
cdef Py_ssize_t ADDRESS, CONTEXT, FIELDS, IP, KIND, LOW, PATH, POSITION, VALUE, _PLACES
cdef unsigned long long WRITE


cdef class WatchedMachine(Machine):
    cdef public Feeder feeder

    @cython.locals(trap=cython.int, feeder=Feeder)
    cpdef int run(self, Context context, deadline) except -1


cdef class Feeder(Follower):
    cdef public Checker checker
    cdef public dict may_ipc
    cdef Machine _machine
    cdef Recorder _recorder
    cdef Calls _calls
    cdef Access _access
    cdef Arrival _arrival
    cdef object _kernel, _images, _watch
    cdef unsigned long long _size, _call_page, _limit
    cdef dict _owners, _paths, _places, _interrupted, _staged
    cdef set _introduced, _sites
    cdef bint _unbound

    cpdef learn(self)
    @cython.locals(
        recorder=Recorder,
        rows=cython.ulonglong[::1],
        number=Py_ssize_t,
        at=Py_ssize_t,
        kind=cython.ulonglong,
    )
    cpdef drain(self)
    @cython.locals(offset=cython.ulonglong, access=Access, where=Where)
    cdef _feed(
        self,
        long long position,
        int thread,
        unsigned long long ip,
        unsigned long long address,
        int size,
        unsigned long long value,
        bint is_write,
        unsigned long long path,
        int low,
    )
    @cython.locals(path=cython.ulonglong, number=cython.int, where=Where, low=cython.int)
    cpdef call(self, Context context)
    @cython.locals(machine=Machine)
    cdef Call _call_of(self, Context context, Where where, int low)
    cdef _store_message(self, Context context, unsigned long long path, int low)
    cdef Where _call_place(self, Context context, unsigned long long path, unsigned long long pc)
    @cython.locals(found=Where)
    cdef Where _place(self, int thread, unsigned long long path, unsigned long long pc)
    cdef _keep(self, tuple key, Where where)
    cdef tuple _path(self, int thread, unsigned long long path)
    cdef tuple _chain(self, int thread, unsigned long long pc)
