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
    mov rcx, qword ptr [rbx + UTCB_MR1]
    mov qword ptr [rbx + UTCB_BDR], 0
    mov qword ptr [rbx + UTCB_BR0], 0
    mov qword ptr [rbx + UTCB_BR1], 0
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR62], rcx    # the last message register
    mov rcx, qword ptr [rbx + UTCB_MR62]
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret
