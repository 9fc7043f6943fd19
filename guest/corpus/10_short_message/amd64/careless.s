# The careless client of case 10: it forgets to say what should be doubled.

.include "corpus.inc"

.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    l4_invoke SERVER|L4_CALL, ASK_1, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_MR0]
    sar rax, L4_TAG_LABEL_SHIFT
    jz 1f
    mov rbp, rax                            # an error
1:  mov qword ptr [rip + result], rbp
    log got
    log_number rbp
    log newline
    sleep_forever

.include "log.inc"

.rodata
got:        .asciz "careless: twice nothing is "
newline:    .asciz "\n"

.bss
result:     .space 8
