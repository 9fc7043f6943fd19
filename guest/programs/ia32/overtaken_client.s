# A client of the overtaken scenarios: it looks a few times, then opens a session and adds a
# number in it.

.include "l4.inc"
.include "session.inc"

SERVER      = 0x20 << L4_CAP_SHIFT
LOOKS       = 3

.text
_start:
    own_utcb ebx
    mov dword ptr [rounds], LOOKS
1:  mov dword ptr [ebx + UTCB_MR0], OP_LOOK
    l4_invoke SERVER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    dec dword ptr [rounds]
    jnz 1b
    mov dword ptr [ebx + UTCB_MR0], OP_OPEN
    l4_invoke SERVER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov dword ptr [ebx + UTCB_MR0], OP_ADD
    mov dword ptr [ebx + UTCB_MR1], NUMBER
    l4_invoke SERVER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov eax, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [result], eax
    sleep_forever

.bss
rounds:     .space 4
result:     .space 4
