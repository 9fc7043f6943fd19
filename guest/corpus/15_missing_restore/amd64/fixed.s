# Case 15, cured: all message registers are restored, on every way; the story is in buggy.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 1f
    call record
    mov rcx, qword ptr [rbx + UTCB_MR1]
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret
1:  mov rax, NO_SYS
    ret

# Have the other server record that a request came; it may know that already (101).
record:
    sub rsp, 8 * UTCB_MR_COUNT
    mov rsi, rbx
    mov rdi, rsp
    mov ecx, UTCB_MR_COUNT
    rep movsq
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    cmp qword ptr [rbx + UTCB_MR0], 101
    je 1f
    inc qword ptr [rip + recorded]
1:  mov rsi, rsp                            # the cure
    mov rdi, rbx
    mov ecx, UTCB_MR_COUNT
    rep movsq
    add rsp, 8 * UTCB_MR_COUNT
    ret

.bss
recorded:   .space 8
