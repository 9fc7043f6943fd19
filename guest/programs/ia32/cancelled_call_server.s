# The server of cancelled_call: takes five milliseconds for a request, and multiplies its
# number by ten.

.include "l4.inc"

TAKE_5MS    = 3 << L4_TIMEOUT_EXPONENT_SHIFT | 625          # us; to receive

.text
_start:
    own_utcb ebx
1:  l4_open_wait
    imul ebp, dword ptr [ebx + UTCB_MR0], 10
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, TAKE_5MS
    mov dword ptr [ebx + UTCB_MR0], ebp
    l4_invoke NO_REPLY_SLOT|L4_REPLY, 1, L4_TIMEOUT_SEND_ZERO
    test eax, L4_TAG_ERROR
    jz 1b
    mov ebp, dword ptr [ebx + UTCB_ERROR]
    mov dword ptr [error], ebp
    log nobody
    log_number ebp
    log newline
    jmp 1b

.include "log.inc"

.rodata
nobody:     .asciz "server: the reply ended with error "
newline:    .asciz "\n"

.bss
error:      .space 4
