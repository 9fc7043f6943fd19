# Innocent: a reply of four words, of which the server has written one.
#
# The others are zero since the thread was made: they can tell the client nothing that it
# should not know.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov rcx, qword ptr [rbx + UTCB_MR1]
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 5                              # mr[1] is the client's own; mr[2] to mr[4] are 0
    ret
