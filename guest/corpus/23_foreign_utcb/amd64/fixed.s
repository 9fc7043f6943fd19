# Case 23, cured: the number goes to memory that both threads know; the story is in buggy.s.

.include "corpus.inc"

MAIN        = 0x22 << L4_CAP_SHIFT

.text
_start:
    own_utcb rbx
    l4_open_wait                            # until the worker is ready
    mov qword ptr [rip + number], 5         # the cure
    sleep_forever

worker:
    own_utcb rbx
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
number:     .space 8
result:     .space 8
