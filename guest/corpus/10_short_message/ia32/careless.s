# The careless client of case 10: it forgets to say what should be doubled.

.include "corpus.inc"

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    l4_invoke SERVER|L4_CALL, ASK_1, L4_TIMEOUT_NEVER
    mov ebp, dword ptr [ebx + UTCB_MR0]
    sar eax, L4_TAG_LABEL_SHIFT
    jz 1f
    mov ebp, eax                            # an error
1:  mov dword ptr [result], ebp
    log got
    log_number ebp
    log newline
    sleep_forever

.include "log.inc"

.rodata
got:        .asciz "careless: twice nothing is "
newline:    .asciz "\n"

.bss
result:     .space 4
