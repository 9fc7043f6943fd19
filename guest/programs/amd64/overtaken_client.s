# A client of the overtaken scenarios: it opens a session and adds a number in it.

.include "l4.inc"
.include "session.inc"

SERVER      = 0x20 << L4_CAP_SHIFT

.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], OP_OPEN
    l4_invoke SERVER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov qword ptr [rbx + UTCB_MR0], OP_ADD
    mov qword ptr [rbx + UTCB_MR1], NUMBER
    l4_invoke SERVER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov rax, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + result], rax
    sleep_forever

.bss
result:     .space 8
