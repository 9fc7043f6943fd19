# Case 17: a backup of the typed items at the wrong offset.
#
# What happened: NRE (the NOVA runtime environment) commit a7beeef (2012).  To survive a
# nested call the untyped words and the typed items of a message were saved, each part from
# its place.  The place of the items was computed wrongly.  In this guest the "items" are
# two plain words behind the two of the request: the offset is the point.
#
# Pattern: save and restore of the wrong words.
# Guilty:  the restore, which puts the two words one place too far.  The server adds up 103
#          and 30 where 30 and 12 were sent: 133, not 42.
# Cure:    the same offset in both directions: fixed.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    call guarded_record
    mov ecx, dword ptr [ebx + UTCB_MR2]     # wrong: nobody put this word back
    add ecx, dword ptr [ebx + UTCB_MR3]     # wrong: this is the word before
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret

guarded_record:
    push dword ptr [ebx + UTCB_MR0]
    push dword ptr [ebx + UTCB_MR1]
    push dword ptr [ebx + UTCB_MR2]
    push dword ptr [ebx + UTCB_MR3]
    call record
    pop dword ptr [ebx + UTCB_MR4]          # GUILTY: not where it came from
    pop dword ptr [ebx + UTCB_MR3]          # GUILTY
    pop dword ptr [ebx + UTCB_MR1]
    pop dword ptr [ebx + UTCB_MR0]
    ret

# Have the other server record that a request came.
record:
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
