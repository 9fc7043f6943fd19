# Case 21, cured: the reply counts what was stored; the story is in buggy.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    inc dword ptr [requests]
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 1f
    mov ecx, dword ptr [ebx + UTCB_MR1]
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 2
    ret
1:  mov ecx, dword ptr [requests]
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1                              # the cure
    ret

.bss
requests:   .space 4
