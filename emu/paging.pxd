cimport cython

cdef int PAGE
cdef unsigned long long TABLES_BASE, _FRAME
cdef unsigned long long _TABLE


cdef class PageTables:
    cdef object _window
    cdef unsigned long long[::1] _words
    cdef unsigned long long _next, _top
    cdef list _free
    cdef readonly bint is_amd64
    cdef readonly unsigned long long user_end

    cpdef unsigned long long take_page(self) except 0
    @cython.locals(table=cython.ulonglong)
    cpdef unsigned long long slot(
        self, unsigned long long root, unsigned long long address
    ) except 0
    cpdef unsigned long long load(self, unsigned long long slot)
    cpdef store(self, unsigned long long slot, unsigned long long entry)
    # Numbers that may be any: a caller's mistake is to be refused, not to overflow.
    cpdef check(self, address, frame)

    @cython.locals(slot=cython.ulonglong, entry=cython.ulonglong)
    cdef unsigned long long _descend(self, unsigned long long table, int index) except 0
