from kernel.message cimport Utcb
from kernel.objects cimport Thread

cdef unsigned long long TAG_WORDS
cdef int LABEL, TAG


cdef class Recorder:
    cdef bytes _overwritten

    cpdef record(self, event)
    cpdef prepare(self, Utcb utcb, Py_ssize_t count)
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
    cpdef switch(self, long long cycle, long long position, int previous, int following)
