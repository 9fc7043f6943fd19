# The other server of send_only: it hears of events and never replies.

.include "l4.inc"
.include "faq.inc"

.text
_start:
    own_utcb ebx
1:  l4_open_wait
    sar eax, L4_TAG_LABEL_SHIFT
    cmp eax, PROTO_NOTIFIER
    jne 1b
    cmp dword ptr [ebx + UTCB_MR0], OP_NOTIFY
    jne 1b
    mov esi, dword ptr [ebx + UTCB_MR1]
    log heard
    log_number esi
    log newline
    jmp 1b

.include "log.inc"

.rodata
heard:      .asciz "notifier: heard on channel "
newline:    .asciz "\n"
