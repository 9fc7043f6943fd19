# Case 23: a thread stores into the UTCB of another one that is at work.
#
# What happens: before a thread runs, others may prepare its UTCB.  Here it runs already, and
# has set up a request; the main thread, of a higher priority, takes the worker's UTCB for a
# place to leave a number in.
#
# Pattern: a UTCB that is somebody else's.
# Guilty:  the store of _start.  The worker asks for twice of 5, not of 42.
# Cure:    leave the number in memory that both know: fixed.s.

.include "corpus.inc"

MAIN        = 0x22 << L4_CAP_SHIFT

.text
_start:
    own_utcb rbx
    l4_open_wait                            # until the worker is ready
    mov rdx, qword ptr [rip + utcb]
    mov qword ptr [rdx + UTCB_MR1], 5       # GUILTY: the worker's request is there
    sleep_forever

worker:
    own_utcb rbx
    mov qword ptr [rip + utcb], rbx
    mov qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    mov qword ptr [rbx + UTCB_MR1], 42
    l4_invoke MAIN|L4_SEND, 0, L4_TIMEOUT_NEVER
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + result], rbp
    log got
    log_number rbp
    log newline
    sleep_forever

.include "log.inc"

.rodata
got:        .asciz "worker: twice 42 is "
newline:    .asciz "\n"

.bss
utcb:       .space 8
result:     .space 8
