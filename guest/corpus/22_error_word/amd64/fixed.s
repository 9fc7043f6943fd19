# Case 22, cured: the error word is read before anything else is called; the story is in
# buggy.s.

.include "corpus.inc"

NOBODY      = 0x99 << L4_CAP_SHIFT          # an empty capability

.text
_start:
    server_loop dispatch

dispatch:
    mov rbp, qword ptr [rbx + UTCB_MR1]
    add rbp, rbp
    l4_invoke NOBODY|L4_CALL, TELL_1, L4_TIMEOUT_NEVER
    test eax, L4_TAG_ERROR
    jz 1f
    mov rcx, qword ptr [rbx + UTCB_ERROR]   # the cure
    sub rcx, L4_IPC_NOT_EXISTENT
    add rbp, rcx
    call report
1:  mov qword ptr [rbx + UTCB_MR0], rbp
    mov eax, 1
    ret

# Tell somebody that something is wrong, if he listens.
report:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke OTHER|L4_SEND, TELL_2, L4_TIMEOUT_SEND_ZERO
    ret
