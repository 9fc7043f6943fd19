# The client of the semaphore_lock scenarios: it adds 5 twice, and is told the sum.
#
# The first time another thread of the server holds the lock, the second time nobody does.

.include "l4.inc"
.include "semaphore_lock.inc"

ADDER       = 0x20 << L4_CAP_SHIFT
REQUEST     = 1                                             # mr[0]

.text
_start:
    own_utcb ebx
    mov dword ptr [rounds], 2
1:  mov dword ptr [ebx + UTCB_MR0], 5
    l4_invoke ADDER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov ecx, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [result], ecx
    log added
    mov ecx, dword ptr [result]
    log_number ecx
    log newline
    dec dword ptr [rounds]
    jnz 1b
    sleep_forever

.include "log.inc"

.rodata
added:      .asciz "client: added 5, the sum is "
newline:    .asciz "\n"

.bss
rounds:     .space 4
result:     .space 4
