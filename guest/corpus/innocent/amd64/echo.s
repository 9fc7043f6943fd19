# Innocent: a server that replies with the very words of the request, and adds one of its own.
#
# What it reads back after it has stored it is its own.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov rcx, qword ptr [rbx + UTCB_MR1]
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov rcx, qword ptr [rbx + UTCB_MR0]     # its own store
    add qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 2                              # mr[1] is the client's, and goes back to it
    ret
