from kernel.cost cimport Costs
from kernel.recorder cimport Recorder
from kernel.scheduler cimport Scheduler


cdef class Kernel:
    cdef public dict reserved
    cdef public object arch, machine, probe
    cdef public Recorder recorder
    cdef public Costs costs
    cdef public long long cost
    cdef public unsigned long long mask, kobject_label, thread_label
    cdef public int number, running, space, faults
    cdef public object logged, frame, clock_told, input, names
    cdef public bint clock_due
    cdef public long long idle, kip_frame, trace_frame
    cdef public list arrivals
    cdef public dict objects, threads, holders, references, charges, doomed
    cdef public list timeouts, shared_free
    cdef public Scheduler scheduler
    cdef public object log, factory, scheduler_object
