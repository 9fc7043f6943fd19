# The client of case 14: the number to be doubled is all that its message has.

.include "corpus.inc"

.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], 42
    l4_invoke SERVER|L4_CALL, ASK_1, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + result], rbp
    log got
    log_number rbp
    log newline
    sleep_forever

.include "log.inc"

.rodata
got:        .asciz "client: twice 42 is "
newline:    .asciz "\n"

.bss
result:     .space 8
