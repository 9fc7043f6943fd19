# The client of case 17: two words, and two more that are to be added up.

.include "corpus.inc"

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], 1
    mov dword ptr [ebx + UTCB_MR1], 2
    mov dword ptr [ebx + UTCB_MR2], 30
    mov dword ptr [ebx + UTCB_MR3], 12
    l4_invoke SERVER|L4_CALL, ASK_4, L4_TIMEOUT_NEVER
    mov ebp, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [result], ebp
    log got
    log_number ebp
    log newline
    sleep_forever

.include "log.inc"

.rodata
got:        .asciz "client: 30 and 12 make "
newline:    .asciz "\n"

.bss
result:     .space 4
