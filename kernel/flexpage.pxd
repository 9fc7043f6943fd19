cimport cython

cdef int FPAGE_BASE_SHIFT, FPAGE_KIND, FPAGE_KIND_SHIFT, FPAGE_ORDER, FPAGE_ORDER_SHIFT
cdef int FPAGE_RIGHTS, FPAGE_WHOLE_ORDER


@cython.freelist(8)
cdef class Flexpage:
    cdef readonly int kind, order, rights
    cdef readonly unsigned long long base

    cpdef bint is_all_spaces(self)
    cpdef Flexpage with_rights(self, int rights)
    @cython.locals(order=int)
    cpdef Area area(self)


@cython.freelist(8)
cdef class Area:
    cdef readonly unsigned long long first, size
    cdef readonly int order


@cython.freelist(8)
cdef class Placement:
    cdef readonly Area source
    cdef readonly unsigned long long target


cpdef Flexpage decode(unsigned long long word)
cpdef unsigned long long encode(Flexpage fpage)
cpdef unsigned long long align(unsigned long long unit, int order)
@cython.locals(offset=cython.ulonglong)
cpdef Placement place(Area source, Area window, unsigned long long hot_spot)
