# Innocent: a function of no great name saves the two words that its request needs, and puts
# them back.
#
# The bytes are stored by the server itself, after a nested call, and then read as if the
# client had sent them.  It has: they are the client's, back in their place.  But that is
# so only while the answer has no more words than were saved: this one has none.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    call careful_notify
    mov ecx, dword ptr [ebx + UTCB_MR1]
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret

careful_notify:
    push dword ptr [ebx + UTCB_MR0]
    push dword ptr [ebx + UTCB_MR1]
    call notify
    pop dword ptr [ebx + UTCB_MR1]
    pop dword ptr [ebx + UTCB_MR0]
    ret

# Tell the other server that something is going on.
notify:
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
