# The client of most cases: it asks the server to double 42, and prints what it gets.

.include "corpus.inc"

.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    mov qword ptr [rbx + UTCB_MR1], 42
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_MR0]     # before anything is printed
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
