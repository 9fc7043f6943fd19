cimport cython

from kernel.fault cimport exception, page_fault, settle
from kernel.invoke cimport invoke
from kernel.ipc cimport expire, expire_until
from kernel.objects cimport Thread
from kernel.scheduler cimport Scheduler
from kernel.state cimport Kernel

cdef int DEADLINE, EXCEPTION, PAGE_FAULT, SYSTEM_CALL


@cython.locals(
    scheduler=Scheduler,
    timeouts=list,
    arrivals=list,
    thread=Thread,
    now=cython.longlong,
    deadline=cython.longlong,
    trap=cython.int,
    grain=cython.longlong,
    entered=cython.bint,
)
cpdef run(Kernel kernel, long long until)
cdef _switch(Kernel kernel, Thread thread)
cdef _charge(Kernel kernel)
@cython.locals(arrivals=list)
cdef _meet_deadlines(Kernel kernel, long long now)
cdef _tell_time(Kernel kernel)
