# Thread-local storage: the same instruction, another variable in each thread.
#
# Each thread lets a segment of its own begin at its own storage, as a C library does for
# `thread_local`: on amd64 by the base of fs, on ia32 by a descriptor for gs.

.include "l4.inc"

SET_BASE    = L4_PROTO_THREAD << L4_TAG_LABEL_SHIFT | 2     # mr[0..1]

# Let fs begin at label `storage`.
.macro own_storage storage
    mov qword ptr [rbx + UTCB_MR0], L4_THREAD_AMD64_SET_SEGMENT_BASE
    lea rax, [rip + \storage]
    mov qword ptr [rbx + UTCB_MR1], rax
    l4_invoke L4_INVALID_CAP|L4_CALL, SET_BASE, L4_TIMEOUT_NEVER
.endm

.text
_start:
    own_utcb rbx
    own_storage main_storage
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, 1000            # the other one sets its own
    call report
    sleep_forever

other:
    own_utcb rbx
    own_storage other_storage
    call report
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, 2000            # and the first one reports
    call report
    sleep_forever

report:
    log value
    mov rcx, fs:[8]
    log_number rcx
    log newline
    ret

.include "log.inc"

.rodata
value:          .asciz "my value is "
newline:        .asciz "\n"

.data
main_storage:   .quad 0, 111
other_storage:  .quad 0, 222
