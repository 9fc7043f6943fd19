# Case 15, second half: a guard that does not cover the typed items.
#
# The same commit: the guard saved the words that the tag counted, and no more.  Behind these
# words lie the two of each typed item, here the result of a void one, which says that no
# capability came.  After the nested call the other server's third word is there, and the
# server believes that it was given something.
#
# Pattern: restore of a part.
# Guilty:  record, which saves two words of the message's four.
# Cure:    save and restore all message registers, as fixed.s does.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    push eax
    call record
    pop eax
    xor ecx, ecx
    cmp dword ptr [ebx + UTCB_MR2], 0       # wrong: this was not restored
    je 1f
    inc ecx
1:  mov dword ptr [ebx + UTCB_MR0], ecx     # how many capabilities came
    mov eax, 1
    ret

# Have the other server record that a request came.
record:
    push dword ptr [ebx + UTCB_MR0]         # GUILTY: only the untyped words
    push dword ptr [ebx + UTCB_MR1]
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    pop dword ptr [ebx + UTCB_MR1]
    pop dword ptr [ebx + UTCB_MR0]
    ret
