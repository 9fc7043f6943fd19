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
    own_utcb ebx

    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    mov dword ptr [ebx + UTCB_MR1], 42
    l4_invoke DOUBLER|L4_CALL, WRONG_REQUEST, L4_TIMEOUT_NEVER
    sar eax, L4_TAG_LABEL_SHIFT
    mov esi, eax
    log wrong_protocol
    log_number esi
    log newline

    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE + 1
    mov dword ptr [ebx + UTCB_MR1], 42
    l4_invoke DOUBLER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    sar eax, L4_TAG_LABEL_SHIFT
    mov esi, eax
    log wrong_opcode
    log_number esi
    log newline

    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    mov dword ptr [ebx + UTCB_MR1], 42
    l4_invoke DOUBLER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov esi, dword ptr [ebx + UTCB_MR0]     # before anything is printed
    mov dword ptr [result], esi
    log sent
    log_number esi
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
result:         .space 4
