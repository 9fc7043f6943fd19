# The client of log_in_reply: it wants 42 doubled; status in mr[0], result in mr[1].

.include "l4.inc"
.include "faq.inc"

DOUBLER     = 0x20 << L4_CAP_SHIFT

REQUEST     = PROTO_DOUBLER << L4_TAG_LABEL_SHIFT | 2       # mr[0], mr[1]

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    mov dword ptr [ebx + UTCB_MR1], 42
    l4_invoke DOUBLER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov esi, dword ptr [ebx + UTCB_MR0]     # both words before anything is printed
    mov eax, dword ptr [ebx + UTCB_MR1]
    mov dword ptr [result], eax
    log status
    log_number esi
    log sent
    mov eax, dword ptr [result]
    log_number eax
    log expected
    sleep_forever

.include "log.inc"

.rodata
status:     .asciz "client: status "
sent:       .asciz ", sent 42, got "
expected:   .asciz " (84 expected)\n"

.bss
result:     .space 4
