# The client of the faq_* scenarios: it asks the doubler to double 42.
#
# Before that it asks in a language that the server does not speak, and for something
# that the server cannot do: both are refused with an error in the label of the reply.

.include "l4.inc"
.include "faq.inc"

DOUBLER        = 0x20 << L4_CAP_SHIFT

REQUEST        = PROTO_DOUBLER << L4_TAG_LABEL_SHIFT | 2        # mr[0], mr[1]
WRONG_REQUEST  = PROTO_NOTIFIER << L4_TAG_LABEL_SHIFT | 2

.text
_start:
    own_utcb rbx

    mov qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    mov qword ptr [rbx + UTCB_MR1], 42
    l4_invoke DOUBLER|L4_CALL, WRONG_REQUEST, L4_TIMEOUT_NEVER
    sar rax, L4_TAG_LABEL_SHIFT
    mov r12, rax
    log wrong_protocol
    log_number r12
    log newline

    mov qword ptr [rbx + UTCB_MR0], OP_DOUBLE + 1
    mov qword ptr [rbx + UTCB_MR1], 42
    l4_invoke DOUBLER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    sar rax, L4_TAG_LABEL_SHIFT
    mov r12, rax
    log wrong_opcode
    log_number r12
    log newline

    mov qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    mov qword ptr [rbx + UTCB_MR1], 42
    l4_invoke DOUBLER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov r12, qword ptr [rbx + UTCB_MR0]     # before anything is printed
    mov qword ptr [rip + result], r12
    log sent
    log_number r12
    log expected
    sleep_forever

.include "log.inc"

.rodata
wrong_protocol: .asciz "client: wrong protocol gives "
wrong_opcode:   .asciz "client: wrong opcode gives "
sent:           .asciz "client: sent 42, got "
expected:       .asciz " (84 expected)\n"
newline:        .asciz "\n"

.bss
result:         .space 8
