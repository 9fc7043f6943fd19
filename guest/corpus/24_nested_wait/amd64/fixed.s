# Case 24, cured: the nested wait has a reply capability of its own, and its caller is answered
# through that; the story is in buggy.s.

.include "corpus.inc"

EVENT       = 5 << L4_CAP_SHIFT | L4_CAP_REPLY_BIT   # a slot for whoever brings an event

.text
_start:
    server_loop dispatch

dispatch:
    mov rbp, qword ptr [rbx + UTCB_MR1]
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 1f
    call wait_for_event
1:  add rbp, rbp
    mov qword ptr [rbx + UTCB_MR0], rbp
    mov eax, 1
    ret

wait_for_event:
    l4_invoke EVENT|L4_WAIT, 0, L4_TIMEOUT_NEVER    # the cure
    mov rcx, qword ptr [rbx + UTCB_MR1]     # which one
    mov qword ptr [rip + event], rcx
    l4_invoke EVENT|L4_REPLY, 0, L4_TIMEOUT_SEND_ZERO
    ret

.bss
event:      .space 8
