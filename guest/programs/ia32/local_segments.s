# The same selector, another segment in each task: local descriptor tables.
#
# A table belongs to its task: what one thread stores there, its siblings can load.

.include "l4.inc"

SET_TABLE   = L4_PROTO_TASK << L4_TAG_LABEL_SHIFT | 4       # mr[0..3]
ENTRY       = 3                                             # the two before it stay null
SELECTOR    = ENTRY << 3 | 7                                # of the local table, level 3

.text
_start:
    sleep_forever

setter:                                                     # eax is the task's value
    own_utcb ebx
    mov dword ptr [storage + 4], eax
    # A writable data segment of 4 GiB at user level (Intel SDM vol. 3, 3.4.5).
    lea eax, [storage]
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
    mov dword ptr [ebx + UTCB_MR0], L4_TASK_LDT_SET
    mov dword ptr [ebx + UTCB_MR1], ENTRY
    l4_invoke L4_CAP_TASK|L4_CALL, SET_TABLE, L4_TIMEOUT_NEVER
    mov ecx, SELECTOR
    mov gs, ecx
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, 1000            # the others run
    call report
    sleep_forever

sibling:
    own_utcb ebx
    mov ecx, SELECTOR
    mov gs, ecx
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
storage:        .long 0, 0
