# Case 21, cured: the reply counts what was stored; the story is in buggy.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    inc qword ptr [rip + requests]
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 1f
    mov rcx, qword ptr [rbx + UTCB_MR1]
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 2
    ret
1:  mov rcx, qword ptr [rip + requests]
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1                              # the cure
    ret

.bss
requests:   .space 8
