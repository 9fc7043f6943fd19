# The client of case 8: it has four numbers added up, and then a single one.

.include "corpus.inc"

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], 1
    mov dword ptr [ebx + UTCB_MR1], 2
    mov dword ptr [ebx + UTCB_MR2], 3
    mov dword ptr [ebx + UTCB_MR3], 4
    l4_invoke SERVER|L4_CALL, ASK_4, L4_TIMEOUT_NEVER
    mov ebp, dword ptr [ebx + UTCB_MR0]
    log four
    log_number ebp
    mov dword ptr [ebx + UTCB_MR0], 5
    l4_invoke SERVER|L4_CALL, ASK_1, L4_TIMEOUT_NEVER
    mov ebp, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [result], ebp
    log one
    log_number ebp
    log newline
    sleep_forever

.include "log.inc"

.rodata
four:       .asciz "client: 1 to 4 make "
one:        .asciz ", 5 makes "
newline:    .asciz "\n"

.bss
result:     .space 4
