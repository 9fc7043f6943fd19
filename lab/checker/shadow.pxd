cimport cython

from lab.checker.lives cimport Store, Turn
from lab.checker.stream cimport Access, Where

cdef int BDR, ERROR, MR_COUNT, WORDS, BULK, _PENDING, _VERSIONS


cdef class Shadow:
    cdef public int number, word, limit, fault, bulk_start, bulk_end
    cdef public bytearray memory
    cdef public list writers, turns, pending, buffer_stores, saved, previous, bulk
    cdef public dict lost, buffers_lost, slots, saves
    cdef public tuple interrupted, error_lost, reply, reply_lost
    cdef public Turn call, latest
    cdef public long long epoch, round, bulk_epoch
    cdef public bint has_run
    cdef public object overrun

    @cython.locals(turn=Turn, sinking=Turn, waiting=Turn, each=Turn, store=Store, stores=list)
    cpdef unwind(self, int low, Where where, position)
    @cython.locals(where=Where, kept=list, gone=list, last=Turn, loser=Turn, again=cython.bint)
    cpdef begin(self, Turn turn, position, Turn answered)
    @cython.locals(each=Turn, gone=list)
    cpdef use(self, Turn turn, Where where, position)
    @cython.locals(turn=Turn, found=Turn)
    cpdef Turn innermost(self, Where where)
    @cython.locals(store=Store)
    cdef _forget_stores(self, Turn turn, int depth)
    @cython.locals(below=Turn)
    cdef _bury(self, Turn turn, position)
    @cython.locals(
        offset=cython.int,
        size=cython.int,
        end=cython.int,
        where=Where,
        data=bytes,
        store=Store,
        stores=list,
        value=cython.ulonglong,
        epoch=cython.longlong,
    )
    cpdef Store store(self, Access access, long long number)
    @cython.locals(turn=Turn)
    cdef _put_back(self, Store store, writer)
    cdef list _writers_in(self, list stores)
    @cython.locals(value=cython.ulonglong, known=list, place=tuple)
    cpdef remember(self, Access access)
    @cython.locals(end=cython.int, at=cython.int)
    cpdef deliver(self, int offset, bytes data, turn)
    @cython.locals(stop=cython.int, writers=list)
    cpdef list runs(self, int start, int end)
    cpdef bint note_run(self, Access access) except -1


cdef bint _may_lose(Turn turn) except -1
@cython.locals(at=cython.int)
cdef _forget_read(writer, int start, int end)
