# Case 21: a reply with a word that nobody stored.
#
# What happens: a server answers everybody with two words: twice the number, and the number.
# To another operation it stores one.  The second is what the message before brought: what one
# client has sent goes to another.
#
# Pattern: a count that is too large.
# Guilty:  the count of dispatch's reply to anything but OP_DOUBLE.  The second client is told
#          42, which the first one sent.
# Cure:    count what was stored: fixed.s.

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
    mov eax, 2                              # GUILTY: it is one
    ret

.bss
requests:   .space 4
