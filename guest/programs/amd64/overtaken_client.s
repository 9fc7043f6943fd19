# A client of the overtaken scenarios: it looks a few times, then opens a session and adds a
# number in it.

.include "l4.inc"
.include "session.inc"

SERVER      = 0x20 << L4_CAP_SHIFT
LOOKS       = 3

.text
_start:
    own_utcb rbx
    mov qword ptr [rip + rounds], LOOKS
1:  mov qword ptr [rbx + UTCB_MR0], OP_LOOK
    l4_invoke SERVER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    dec qword ptr [rip + rounds]
    jnz 1b
    mov qword ptr [rbx + UTCB_MR0], OP_OPEN
    l4_invoke SERVER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov qword ptr [rbx + UTCB_MR0], OP_ADD
    mov qword ptr [rbx + UTCB_MR1], NUMBER
    l4_invoke SERVER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov rax, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + result], rax
    sleep_forever

.bss
rounds:     .space 8
result:     .space 8
