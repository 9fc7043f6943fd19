# The client of log_in_reply: it wants 42 doubled; status in mr[0], result in mr[1].

.include "l4.inc"
.include "faq.inc"

DOUBLER     = 0x20 << L4_CAP_SHIFT

REQUEST     = PROTO_DOUBLER << L4_TAG_LABEL_SHIFT | 2       # mr[0], mr[1]

.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    mov qword ptr [rbx + UTCB_MR1], 42
    l4_invoke DOUBLER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov r12, qword ptr [rbx + UTCB_MR0]     # both words before anything is printed
    mov rax, qword ptr [rbx + UTCB_MR1]
    mov qword ptr [rip + result], rax
    log status
    log_number r12
    log sent
    mov rax, qword ptr [rip + result]
    log_number rax
    log expected
    sleep_forever

.include "log.inc"

.rodata
status:     .asciz "client: status "
sent:       .asciz ", sent 42, got "
expected:   .asciz " (84 expected)\n"

.bss
result:     .space 8
