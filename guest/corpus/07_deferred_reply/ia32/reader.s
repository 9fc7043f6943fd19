# The reader of case 7: it asks for two samples, and adds them up.

.include "corpus.inc"

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], 1
    l4_invoke SERVER|L4_CALL, ASK_1, L4_TIMEOUT_NEVER
    mov ebp, dword ptr [ebx + UTCB_MR1]
    add ebp, dword ptr [ebx + UTCB_MR2]
    mov dword ptr [result], ebp
    log got
    log_number ebp
    log newline
    sleep_forever

.include "log.inc"

.rodata
got:        .asciz "reader: 11 and 22 are "
newline:    .asciz "\n"

.bss
result:     .space 4
