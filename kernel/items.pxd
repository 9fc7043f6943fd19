cimport cython

from kernel.flexpage cimport Area, Flexpage, decode, encode, place
from kernel.mapping cimport map_pages
from kernel.message cimport Utcb
from kernel.objects cimport Capability, Gate, Task, Thread
from kernel.state cimport Kernel

cdef int BDR_CURSOR, BDR_IO_SHIFT, BDR_MEMORY_SHIFT, BDR_OBJECT_SHIFT
cdef int ITEM_COMPOUND, ITEM_FORWARD, ITEM_FPAGE, ITEM_GRANT, ITEM_HOT_SPOT_SHIFT
cdef int ITEM_LABEL, ITEM_LOCAL_ID, ITEM_MAP, ITEM_NOTHING, ITEM_SMALL
cdef int LABEL_RIGHTS, TAG_ITEMS, TAG_ITEMS_SHIFT, TAG_WORDS
cdef int BDR, BR, BR_COUNT, MR_COUNT
cdef int FULL, IO, MEMORY, NOTHING, OBJECT, SPECIAL
cdef int _ALWAYS, _CUT, _FAILED, _FPAGE_BITS, _WRITE
cdef long long _KEPT


@cython.freelist(8)
cdef class Buffer:
    cdef readonly unsigned long long head, forward
    cdef readonly Flexpage window
    cdef readonly bint forwards
    cdef readonly int next


@cython.locals(
    descriptor=cython.ulonglong,
    head=cython.ulonglong,
    cursors=list,
    at=cython.int,
    error=cython.int,
)
cpdef int copy_items(Kernel kernel, Thread sender, Thread receiver) except -1

@cython.locals(head=cython.ulonglong, window=Flexpage)
cpdef Buffer buffer_at(Utcb message, int index)

@cython.locals(area=Area, room=Area, grant=cython.bint)
cpdef int map_flexpage(
    Kernel kernel,
    Task source,
    Flexpage sent,
    Task target,
    Flexpage window,
    unsigned long long head,
) except -1
cpdef Flexpage mask_rights(Flexpage sent, int rights)

@cython.locals(
    word=cython.ulonglong,
    result=cython.ulonglong,
    sent=Flexpage,
    buffer=Buffer,
    target=Task,
    cap=Capability,
    outcome=cython.int,
)
cdef int _copy_item(
    Kernel kernel, Thread sender, Thread receiver, int at, unsigned long long head, list cursors
) except -1

@cython.locals(cap=Capability, gate=Gate)
cdef bint _give_id(
    Thread sender,
    Thread receiver,
    int at,
    unsigned long long result,
    Buffer buffer,
    Flexpage sent,
) except -1
cdef bint _accepts(Flexpage window, Flexpage sent)
