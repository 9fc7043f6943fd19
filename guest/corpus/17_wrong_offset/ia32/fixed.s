# Case 17, cured: every word goes back where it came from; the story is in buggy.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    call guarded_record
    mov ecx, dword ptr [ebx + UTCB_MR2]
    add ecx, dword ptr [ebx + UTCB_MR3]
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret

guarded_record:
    push dword ptr [ebx + UTCB_MR0]
    push dword ptr [ebx + UTCB_MR1]
    push dword ptr [ebx + UTCB_MR2]
    push dword ptr [ebx + UTCB_MR3]
    call record
    pop dword ptr [ebx + UTCB_MR3]          # the cure
    pop dword ptr [ebx + UTCB_MR2]
    pop dword ptr [ebx + UTCB_MR1]
    pop dword ptr [ebx + UTCB_MR0]
    ret

# Have the other server record that a request came.
record:
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
