# The other server of send_only: it hears of events and never replies.

.include "l4.inc"
.include "faq.inc"

.text
_start:
    own_utcb rbx
1:  l4_open_wait
    sar rax, L4_TAG_LABEL_SHIFT
    cmp rax, PROTO_NOTIFIER
    jne 1b
    cmp qword ptr [rbx + UTCB_MR0], OP_NOTIFY
    jne 1b
    mov r12, qword ptr [rbx + UTCB_MR1]
    log heard
    log_number r12
    log newline
    jmp 1b

.include "log.inc"

.rodata
heard:      .asciz "notifier: heard on channel "
newline:    .asciz "\n"
