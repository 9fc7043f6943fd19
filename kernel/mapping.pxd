cimport cython

from kernel.flexpage cimport Area, Placement
from kernel.objects cimport Mapping, Task
from kernel.quota cimport Quota
from kernel.state cimport Kernel

cdef int FULL, MAPPED, NOTHING
cdef int PAGE_SHIFT, PAGE_SIZE, MAPPING_BYTES
cdef int _READ, _RIGHTS


@cython.locals(
    area=Area,
    node=Mapping,
    page=cython.ulonglong,
    to=cython.ulonglong,
    end=cython.ulonglong,
    outcome=cython.int,
    each=cython.int,
)
cpdef int map_pages(
    Kernel kernel, Task source, Task target, Placement where, int rights, bint grant
) except -1

@cython.locals(page=cython.ulonglong)
cpdef bint fabricate(Kernel kernel, Task sigma0, unsigned long long address) except -1

@cython.locals(node=Mapping, each=Mapping, flags=cython.int, seen=cython.int, done=set)
cpdef int unmap_pages(Kernel kernel, Task task, Area area, int rights, bint own) except -1

@cython.locals(node=Mapping)
cpdef drop_pages(Kernel kernel, Task task)
@cython.locals(first=Mapping)
cpdef link(Mapping node, Mapping parent)

@cython.locals(given=cython.int, old=Mapping, made=Mapping, quota=Quota)
cdef int _map_page(
    Kernel kernel,
    Mapping node,
    Task target,
    unsigned long long to,
    int rights,
    bint grant,
) except -1

@cython.locals(task=Task, flags=cython.int)
cdef _move(Kernel kernel, Mapping node, Task target, unsigned long long to)
@cython.locals(excessive=list, each=Mapping, child=Mapping)
cdef _lower(Kernel kernel, Mapping node, int rights)
@cython.locals(found=list, each=Mapping, child=Mapping)
cdef list _subtree(Mapping node, without=*)
@cython.locals(each=Mapping)
cdef _remove(Kernel kernel, Mapping node)
@cython.locals(task=Task, address=cython.ulonglong, flags=cython.int)
cdef int _revoke(Kernel kernel, Mapping node, int rights) except -1
cdef _set_rights(Kernel kernel, Mapping node, int rights)
cdef _unlink(Mapping node)
@cython.locals(
    pages=dict,
    first=cython.ulonglong,
    size=cython.ulonglong,
    end=cython.ulonglong,
    page=cython.ulonglong,
)
cdef list _pages_in(Kernel kernel, Task task, Area area)
