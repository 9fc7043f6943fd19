# Case 16, cured: the message is read first; the story is in buggy.s.

.include "corpus.inc"

OWN_TASK    = L4_CAP_TASK
SLOT        = 0x11 << L4_CAP_SHIFT
IS_VALID    = L4_PROTO_TASK << L4_TAG_LABEL_SHIFT | 2

.text
_start:
    server_loop dispatch

dispatch:
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 1f
    mov rbp, qword ptr [rbx + UTCB_MR1]     # the cure
    call save_reply
    add rbp, rbp
    mov qword ptr [rbx + UTCB_MR0], rbp
    mov eax, 1
    ret
1:  mov rax, NO_SYS
    ret

# Find out whether the slot for the reply capability is free.
save_reply:
    mov qword ptr [rbx + UTCB_MR0], L4_TASK_CAP_INFO
    mov qword ptr [rbx + UTCB_MR1], SLOT
    l4_invoke OWN_TASK|L4_CALL, IS_VALID, L4_TIMEOUT_NEVER
    sar rax, L4_TAG_LABEL_SHIFT
    mov qword ptr [rip + taken], rax
    ret

.bss
taken:      .space 8
