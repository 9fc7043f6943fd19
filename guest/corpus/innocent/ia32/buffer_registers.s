# Innocent: a server sets its buffer registers by the same pointer that it has to the message
# registers.
#
# They lie behind these, and stores there are as right as any.  What lies between the two,
# word 63, is left alone.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov ecx, dword ptr [ebx + UTCB_MR1]
    mov dword ptr [ebx + UTCB_BDR], 0
    mov dword ptr [ebx + UTCB_BR0], 0
    mov dword ptr [ebx + UTCB_BR1], 0
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR62], ecx    # the last message register
    mov ecx, dword ptr [ebx + UTCB_MR62]
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret
