# The client of irq_server.s: it asks for the number of ticks, sleeps, and asks again.

.include "l4.inc"

SERVER      = 0x20 << L4_CAP_SHIFT
SLEEP_1MS   = 1000                                          # microseconds, as a timeout

.text
_start:
    own_utcb ebx
    mov dword ptr [rounds], 3
1:  l4_invoke SERVER|L4_CALL, 0, L4_TIMEOUT_NEVER
    mov ecx, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [ticks], ecx
    log told
    mov ecx, dword ptr [ticks]
    log_number ecx
    log newline
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, SLEEP_1MS
    dec dword ptr [rounds]
    jnz 1b
    sleep_forever

.include "log.inc"

.rodata
told:       .asciz "client: ticks so far: "
newline:    .asciz "\n"

.bss
rounds:     .space 4
ticks:      .space 4
