# The client of case 8: it has four numbers added up, and then a single one.

.include "corpus.inc"

.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], 1
    mov qword ptr [rbx + UTCB_MR1], 2
    mov qword ptr [rbx + UTCB_MR2], 3
    mov qword ptr [rbx + UTCB_MR3], 4
    l4_invoke SERVER|L4_CALL, ASK_4, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_MR0]
    log four
    log_number rbp
    mov qword ptr [rbx + UTCB_MR0], 5
    l4_invoke SERVER|L4_CALL, ASK_1, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + result], rbp
    log one
    log_number rbp
    log newline
    sleep_forever

.include "log.inc"

.rodata
four:       .asciz "client: 1 to 4 make "
one:        .asciz ", 5 makes "
newline:    .asciz "\n"

.bss
result:     .space 8
