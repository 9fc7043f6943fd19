cimport cython

from kernel.ipc cimport begin, bury
from kernel.mapping cimport fabricate
from kernel.message cimport Utcb
from kernel.objects cimport Capability, Gate, Thread
from kernel.state cimport Kernel

cdef int BDR, BR, ERROR, MR
cdef int BDR_ACCEPT_FPU, CALL, FAULT_BITS, FPAGE_ALL_SPACES, IPC_ERROR, ITEM_MAP
cdef int LABEL_RIGHTS, SENT_FETCH, TAG_ERROR, TAG_LABEL_SHIFT
cdef int FAULT_FETCH, FAULT_PRESENT, FAULT_WRITE, LABEL, SELECTOR, TAG, TIMEOUT
cdef int AFTER_CALL, EX_REGS, IN_EXCEPTION, IN_PAGE_FAULT, NO_FAULT, NO_TRIGGER, STUCK
cdef int _NOT_EXISTENT
cdef unsigned long long _PAGE_FAULT_TAG


@cython.locals(cap=Capability, message=Utcb, address=cython.ulonglong)
cpdef page_fault(Kernel kernel, Thread thread)
@cython.locals(error=cython.int, what=cython.int, address=cython.ulonglong)
cpdef unsigned long long word(Thread thread) except? 0
@cython.locals(cap=Capability, message=Utcb)
cpdef exception(Kernel kernel, Thread thread)
cpdef bint intercept(Kernel kernel, Thread thread) except -1
cpdef settle(Kernel kernel, Thread thread)

@cython.locals(message=Utcb, gate=Gate, bound=Thread)
cdef _call(Kernel kernel, Thread thread, Capability cap, unsigned long long tag)
@cython.locals(
    message=Utcb,
    fault=cython.int,
    saved=tuple,
    tag=cython.ulonglong,
    error=cython.int,
    allows=cython.bint,
)
cdef _end(Kernel kernel, Thread thread)
