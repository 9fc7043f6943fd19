# Clients of a server that is destroyed while they queue.
#
# The server has taken the request of the first and never replies.  That one waits for a
# reply of a thread that is gone: nobody tells it, its timeout ends the call.  Two more
# are in the server's queue: their sends end with error 6.  Whoever comes later finds
# nobody behind the gate: error 4.

.include "l4.inc"
.include "items.inc"

SERVER      = 0x20 << L4_CAP_SHIFT
THE_THREAD  = 0x21 << L4_CAP_SHIFT | OBJECT | L4_FPAGE_RIGHTS
UNMAP       = L4_PROTO_TASK << L4_TAG_LABEL_SHIFT | 3       # mr[0..2]
DELETE      = L4_UNMAP_SELF | L4_UNMAP_DELETE

IN_1MS      = 1000                                          # us; to receive
IN_10MS     = 4 << L4_TIMEOUT_EXPONENT_SHIFT | 625

# Call the server, and keep the reason why it failed.
.macro ask reason, timeouts
    own_utcb rbx
    l4_invoke SERVER|L4_CALL, 0, \timeouts
    mov rax, qword ptr [rbx + UTCB_ERROR]
    mov qword ptr [rip + \reason], rax
.endm

.macro report text, reason
    log \text
    mov rbp, qword ptr [rip + \reason]
    log_number rbp
    log newline
.endm

.text
_start:
    own_utcb rbx
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, IN_1MS
    mov qword ptr [rbx + UTCB_MR0], L4_TASK_UNMAP
    mov eax, DELETE
    mov qword ptr [rbx + UTCB_MR1], rax
    mov qword ptr [rbx + UTCB_MR2], THE_THREAD
    l4_invoke L4_CAP_TASK|L4_CALL, UNMAP, L4_TIMEOUT_NEVER
    ask later, L4_TIMEOUT_NEVER
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, IN_10MS
    report in_call, served
    report queued, first
    report queued, second
    report too_late, later
    sleep_forever

be_served:
    ask served, IN_10MS
    sleep_forever

queue_first:
    ask first, L4_TIMEOUT_NEVER
    sleep_forever

queue_second:
    ask second, L4_TIMEOUT_NEVER
    sleep_forever

.include "log.inc"

.rodata
in_call:    .asciz "client in its call: error "
queued:     .asciz "client in the queue: error "
too_late:   .asciz "client that comes later: error "
newline:    .asciz "\n"

.bss
served:     .space 8
first:      .space 8
second:     .space 8
later:      .space 8
