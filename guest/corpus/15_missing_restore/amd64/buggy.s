# Case 15, first half: a restore that one path does not take.
#
# What happened: Genode commit b4283c9121 (2013, #806).  Code that had to do IPC while a
# message was alive saved the message registers and restored them; but not on every way out.
#
# Pattern: save without restore.
# Guilty:  the early return of record.  dispatch reads mr[1] after it: 204, not 84.
# Cure:    restore on every way: fixed.s.  The second half of the case is partial.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 1f
    call record
    mov rcx, qword ptr [rbx + UTCB_MR1]     # wrong, if record left early
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
    je 1f                                   # GUILTY: nothing is restored
    inc qword ptr [rip + recorded]
    mov rsi, rsp
    mov rdi, rbx
    mov ecx, UTCB_MR_COUNT
    rep movsq
1:  add rsp, 8 * UTCB_MR_COUNT
    ret

.bss
recorded:   .space 8
