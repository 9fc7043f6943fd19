# Case 10: a message that is too short is not noticed.
#
# What happened: L4Re, io commit 061a31c (2016, #335).  The server took its parameters from
# the message registers without a look at how many had come, and so "would use any value
# that resides in its utcb ... from a previous request".
#
# Pattern: short message.
# Guilty:  the load of mr[1] when one word has come.  The careless client gets 84, which is
#          twice what another client asked for.
# Cure:    count the words: fixed.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 2f
    mov ecx, dword ptr [ebx + UTCB_MR1]     # GUILTY: it may not be there
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret
2:  mov eax, NO_SYS
    ret
