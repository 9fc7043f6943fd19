# Case 17, cured: every word goes back where it came from; the story is in buggy.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    call guarded_record
    mov rcx, qword ptr [rbx + UTCB_MR2]
    add rcx, qword ptr [rbx + UTCB_MR3]
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret

guarded_record:
    push qword ptr [rbx + UTCB_MR0]
    push qword ptr [rbx + UTCB_MR1]
    push qword ptr [rbx + UTCB_MR2]
    push qword ptr [rbx + UTCB_MR3]
    call record
    pop qword ptr [rbx + UTCB_MR3]          # the cure
    pop qword ptr [rbx + UTCB_MR2]
    pop qword ptr [rbx + UTCB_MR1]
    pop qword ptr [rbx + UTCB_MR0]
    ret

# Have the other server record that a request came.
record:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
