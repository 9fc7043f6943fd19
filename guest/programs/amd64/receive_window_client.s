# The client of the receive_window scenarios: brings three capabilities, one after the
# other.

.include "l4.inc"
.include "items.inc"

COLLECTOR   = 0x20 << L4_CAP_SHIFT
OUR_THREAD  = L4_CAP_THREAD | OBJECT | L4_RIGHT_R

.macro bring reason
    mov qword ptr [rbx + UTCB_ERROR], 0
    mov qword ptr [rbx + UTCB_MR0], L4_ITEM_MAP
    mov qword ptr [rbx + UTCB_MR1], OUR_THREAD
    l4_invoke COLLECTOR|L4_CALL, ONE_ITEM, L4_TIMEOUT_NEVER
    mov rax, qword ptr [rbx + UTCB_ERROR]
    mov qword ptr [rip + \reason], rax
.endm

.text
_start:
    own_utcb rbx
    bring first
    bring second
    bring third
    log errors
    mov rbp, qword ptr [rip + first]
    log_number rbp
    log comma
    mov rbp, qword ptr [rip + second]
    log_number rbp
    log comma
    mov rbp, qword ptr [rip + third]
    log_number rbp
    log newline
    sleep_forever

.include "log.inc"

.rodata
errors:     .asciz "client: brought three capabilities, errors: "
comma:      .asciz ", "
newline:    .asciz "\n"

.bss
first:      .space 8
second:     .space 8
third:      .space 8
