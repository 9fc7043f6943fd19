# The client of cap_transfer: it uses a capability that it has not got yet, asks the broker
# for it, and uses it again.

.include "l4.inc"
.include "items.inc"
.include "cap_transfer.inc"

BROKER      = 0x20 << L4_CAP_SHIFT
SERVICE_CAP = SERVICE << L4_CAP_SHIFT

.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], 21
    l4_invoke SERVICE_CAP|L4_CALL, DOUBLE, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_ERROR]
    log without
    log_number rbp
    log newline

    # What may arrive: one capability, and it goes to index 0x40.
    mov qword ptr [rbx + UTCB_BDR], 0
    mov qword ptr [rbx + UTCB_BR0], SERVICE_CAP | SMALL_BUFFER
    mov qword ptr [rbx + UTCB_BR1], 0
    l4_invoke BROKER|L4_CALL, 0, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_MR0]
    and rbp, 0x3e                   # what it says of the item
    mov qword ptr [rip + item], rbp

    mov qword ptr [rbx + UTCB_MR0], 21
    l4_invoke SERVICE_CAP|L4_CALL, DOUBLE, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + result], rbp
    log with_it
    log_number rbp
    log newline
    sleep_forever

.include "log.inc"

.rodata
without:    .asciz "client: without the capability: error "
with_it:    .asciz "client: with it: twice 21 is "
newline:    .asciz "\n"

.bss
item:       .space 8
result:     .space 8
