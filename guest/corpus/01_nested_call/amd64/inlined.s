# Case 1 as a compiler leaves it that has inlined notify and was given no -g.
#
# Between the two reads there is no call any more, so nothing says whose reply lies in
# mr[1].  A program that wants the other server's second word looks the same to the byte:
# whether this one is wrong cannot be decided from it.  What can be said is that mr[1] of
# the request was overwritten before anybody had read it.
#
# The rest of the story is in buggy.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 1f
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    mov rcx, qword ptr [rbx + UTCB_MR1]     # GUILTY, if it is the client's that is meant
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret
1:  mov rax, NO_SYS
    ret
