# Case 16, cured: the message is read first; the story is in buggy.s.

.include "corpus.inc"

OWN_TASK    = L4_CAP_TASK
SLOT        = 0x11 << L4_CAP_SHIFT
IS_VALID    = L4_PROTO_TASK << L4_TAG_LABEL_SHIFT | 2

.text
_start:
    server_loop dispatch

dispatch:
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 1f
    mov ebp, dword ptr [ebx + UTCB_MR1]     # the cure
    call save_reply
    add ebp, ebp
    mov dword ptr [ebx + UTCB_MR0], ebp
    mov eax, 1
    ret
1:  mov eax, NO_SYS
    ret

# Find out whether the slot for the reply capability is free.
save_reply:
    mov dword ptr [ebx + UTCB_MR0], L4_TASK_CAP_INFO
    mov dword ptr [ebx + UTCB_MR1], SLOT
    l4_invoke OWN_TASK|L4_CALL, IS_VALID, L4_TIMEOUT_NEVER
    sar eax, L4_TAG_LABEL_SHIFT
    mov dword ptr [taken], eax
    ret

.bss
taken:      .space 4
