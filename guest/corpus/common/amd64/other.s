# The other server of most cases: it answers whatever it is asked with three words,
# 101, 102 and 103.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov qword ptr [rbx + UTCB_MR0], 101
    mov qword ptr [rbx + UTCB_MR1], 102
    mov qword ptr [rbx + UTCB_MR2], 103
    mov eax, 3                              # label 0, three words
    ret
