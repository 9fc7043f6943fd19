# The client of most cases: it asks the server to double 42, and prints what it gets.

.include "corpus.inc"

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    mov dword ptr [ebx + UTCB_MR1], 42
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    mov ebp, dword ptr [ebx + UTCB_MR0]     # before anything is printed
    mov dword ptr [result], ebp
    log got
    log_number ebp
    log newline
    sleep_forever

.include "log.inc"

.rodata
got:        .asciz "client: twice 42 is "
newline:    .asciz "\n"

.bss
result:     .space 4
