# Case 23, cured: the number goes to memory that both threads know; the story is in buggy.s.

.include "corpus.inc"

MAIN        = 0x22 << L4_CAP_SHIFT

.text
_start:
    own_utcb ebx
    l4_open_wait                            # until the worker is ready
    mov dword ptr [number], 5         # the cure
    sleep_forever

worker:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    mov dword ptr [ebx + UTCB_MR1], 42
    l4_invoke MAIN|L4_SEND, 0, L4_TIMEOUT_NEVER
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    mov ebp, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [result], ebp
    log got
    log_number ebp
    log newline
    sleep_forever

.include "log.inc"

.rodata
got:        .asciz "worker: twice 42 is "
newline:    .asciz "\n"

.bss
number:     .space 4
result:     .space 4
