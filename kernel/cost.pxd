cdef class Costs:
    cdef public long long system_call, transfer, word, space_switch, fault, mapping
    cdef public long long creation
