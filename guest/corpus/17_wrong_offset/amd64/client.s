# The client of case 17: two words, and two more that are to be added up.

.include "corpus.inc"

.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], 1
    mov qword ptr [rbx + UTCB_MR1], 2
    mov qword ptr [rbx + UTCB_MR2], 30
    mov qword ptr [rbx + UTCB_MR3], 12
    l4_invoke SERVER|L4_CALL, ASK_4, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + result], rbp
    log got
    log_number rbp
    log newline
    sleep_forever

.include "log.inc"

.rodata
got:        .asciz "client: 30 and 12 make "
newline:    .asciz "\n"

.bss
result:     .space 8
