# The same selector, another segment in each task: local descriptor tables.
#
# A table belongs to its task: what one thread stores there, its siblings can load.

.include "l4.inc"

SET_TABLE   = L4_PROTO_TASK << L4_TAG_LABEL_SHIFT | 3       # mr[0..2]
ENTRY       = 3                                             # the two before it stay null
SELECTOR    = ENTRY << 3 | 7                                # of the local table, level 3

.text
_start:
    sleep_forever

setter:                                                     # rdi is the task's value
    own_utcb rbx
    mov dword ptr [rip + storage + 4], edi
    # A writable data segment of 4 GiB at user level (Intel SDM vol. 3, 3.4.5).
    lea rax, [rip + storage]
    mov rcx, rax
    and rax, 0xffffff
    shl rax, 16                                             # base 23..0
    shr rcx, 24
    shl rcx, 56                                             # base 31..24
    or rax, rcx
    movabs rcx, 0x00cff2000000ffff
    or rax, rcx
    mov qword ptr [rbx + UTCB_MR0], L4_TASK_LDT_SET
    mov qword ptr [rbx + UTCB_MR1], ENTRY
    mov qword ptr [rbx + UTCB_MR2], rax
    l4_invoke L4_CAP_TASK|L4_CALL, SET_TABLE, L4_TIMEOUT_NEVER
    mov ecx, SELECTOR
    mov fs, ecx
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, 1000            # the others run
    call report
    sleep_forever

sibling:
    own_utcb rbx
    mov ecx, SELECTOR
    mov fs, ecx
    call report
    sleep_forever

report:
    log value
    mov ecx, dword ptr fs:[4]
    log_number rcx
    log newline
    ret

.include "log.inc"

.rodata
value:          .asciz "my value is "
newline:        .asciz "\n"

.data
storage:        .long 0, 0
