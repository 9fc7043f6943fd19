# Innocent: a server that replies with the very words of the request, and adds one of its own.
#
# What it reads back after it has stored it is its own.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov ecx, dword ptr [ebx + UTCB_MR1]
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov ecx, dword ptr [ebx + UTCB_MR0]     # its own store
    add dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 2                              # mr[1] is the client's, and goes back to it
    ret
