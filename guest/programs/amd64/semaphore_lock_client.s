# The client of the semaphore_lock scenarios: it adds 5 twice, and is told the sum.
#
# The first time another thread of the server holds the lock, the second time nobody does.

.include "l4.inc"
.include "semaphore_lock.inc"

ADDER       = 0x20 << L4_CAP_SHIFT
REQUEST     = 1                                             # mr[0]

.text
_start:
    own_utcb rbx
    mov qword ptr [rip + rounds], 2
1:  mov qword ptr [rbx + UTCB_MR0], 5
    l4_invoke ADDER|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov rcx, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + result], rcx
    log added
    mov rcx, qword ptr [rip + result]
    log_number rcx
    log newline
    dec qword ptr [rip + rounds]
    jnz 1b
    sleep_forever

.include "log.inc"

.rodata
added:      .asciz "client: added 5, the sum is "
newline:    .asciz "\n"

.bss
rounds:     .space 8
result:     .space 8
