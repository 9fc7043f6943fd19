# Thread-local storage: the same instruction, another variable in each thread.
#
# Each thread lets a segment of its own begin at its own storage, as a C library does for
# `thread_local`: on amd64 by the base of fs, on ia32 by a descriptor for gs.

.include "l4.inc"

SET_SEGMENT = L4_PROTO_THREAD << L4_TAG_LABEL_SHIFT | 4     # mr[0..3]

# Let gs begin at label `storage`: a writable data segment of 4 GiB at user level (Intel SDM
# vol. 3, 3.4.5).  The label of the answer is its selector.
.macro own_storage storage
    mov dword ptr [ebx + UTCB_MR0], L4_THREAD_X86_GDT
    mov dword ptr [ebx + UTCB_MR1], 0                       # the first of our own
    lea eax, [\storage]
    mov ecx, eax
    shl eax, 16                                             # base 15..0, limit 15..0
    or eax, 0xffff
    mov dword ptr [ebx + UTCB_MR2], eax
    mov eax, ecx
    shr ecx, 16
    and ecx, 0xff                                           # base 23..16
    and eax, 0xff000000                                     # base 31..24
    or eax, ecx
    or eax, 0x00cff200
    mov dword ptr [ebx + UTCB_MR3], eax
    l4_invoke L4_INVALID_CAP|L4_CALL, SET_SEGMENT, L4_TIMEOUT_NEVER
    shr eax, L4_TAG_LABEL_SHIFT
    mov gs, eax
.endm

.text
_start:
    own_utcb ebx
    own_storage main_storage
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, 1000            # the other one sets its own
    call report
    sleep_forever

other:
    own_utcb ebx
    own_storage other_storage
    call report
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, 2000            # and the first one reports
    call report
    sleep_forever

report:
    log value
    mov ecx, dword ptr gs:[4]
    log_number ecx
    log newline
    ret

.include "log.inc"

.rodata
value:          .asciz "my value is "
newline:        .asciz "\n"

.data
main_storage:   .long 0, 111
other_storage:  .long 0, 222
