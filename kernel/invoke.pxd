cimport cython

from kernel.fault cimport intercept
from kernel.ipc cimport begin, fail, take_reply
from kernel.objects cimport Capability, Gate, Thread
from kernel.state cimport Kernel

cdef int IMPLICIT, RECEIVING, CAP_OPERATION, CAP_REPLY_BIT, CAP_SHIFT, CAP_SPECIAL
cdef int LABEL_RIGHTS, OP_RECV, OP_REPLY, OP_SEND, OPERATION_SET, _SELF_RIGHTS
cdef unsigned long long TAG_ERROR
cdef int LABEL, SELECTOR, TAG, TAG_LABEL_SHIFT


@cython.locals(
    selector=cython.ulonglong,
    tag=cython.ulonglong,
    protocol=cython.ulonglong,
    operation=cython.int,
    rights=cython.int,
    explicit=cython.bint,
    caller=Thread,
    bound=Thread,
    gate=Gate,
    cap=Capability,
)
cpdef invoke(Kernel kernel, Thread thread)
