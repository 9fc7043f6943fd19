# A server without fault: it doubles the number in mr[1].

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov rcx, qword ptr [rbx + UTCB_MR1]
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret
