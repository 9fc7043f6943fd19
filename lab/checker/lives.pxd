from lab.checker.stream cimport Call, Where, common

cdef unsigned long long CAP_OPERATION, TAG_WORDS, TAG_ITEMS
cdef int OP_OPEN_WAIT, OP_RECV, OP_SEND, TAG_ITEMS_SHIFT


cdef class Turn:
    cdef public long long number, position, cycle
    cdef public Call call
    cdef public int thread, depth, delivered, items, put_back, readers
    cdef public unsigned long long operation, tag, label
    cdef public tuple may_call, chain, sent, left_out, put_back_by
    cdef public bint is_open, was_open, is_alive, received, is_kernel
    cdef public object died
    cdef public long long outgoing, receiver, incoming, sender, via, error
    cdef public list stores, suspects
    cdef public dict uncounted
    cdef public bytes payload, old
    cdef public bytearray read
    cdef public Turn nested
    cdef public Where saved

    cpdef bint includes(self, Where where) except -1
    cpdef bint is_within(self, int depth, tuple chain) except -1
    cpdef bint is_below(self, int depth, tuple chain) except -1
    cpdef close(self, Where where)
    cpdef reopen(self)
    cpdef sink(self, Where where)
    cpdef die(self, position)


cdef class Store:
    cdef public long long number, position, epoch
    cdef public Where where
    cdef public int offset, size, depth
    cdef public bytes value
    cdef public tuple chain, frame
    cdef public Turn turn
    cdef public object returns

    cpdef unwind(self, int low)
