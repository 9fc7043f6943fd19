# A server without fault: it doubles the number in mr[1].

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov ecx, dword ptr [ebx + UTCB_MR1]
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret
