# The client of the receive_window scenarios: brings three capabilities, one after the
# other.

.include "l4.inc"
.include "items.inc"

COLLECTOR   = 0x20 << L4_CAP_SHIFT
OUR_THREAD  = L4_CAP_THREAD | OBJECT | L4_RIGHT_R

.macro bring reason
    mov dword ptr [ebx + UTCB_ERROR], 0
    mov dword ptr [ebx + UTCB_MR0], L4_ITEM_MAP
    mov dword ptr [ebx + UTCB_MR1], OUR_THREAD
    l4_invoke COLLECTOR|L4_CALL, ONE_ITEM, L4_TIMEOUT_NEVER
    mov eax, dword ptr [ebx + UTCB_ERROR]
    mov dword ptr [\reason], eax
.endm

.text
_start:
    own_utcb ebx
    bring first
    bring second
    bring third
    log errors
    mov ebp, dword ptr [first]
    log_number ebp
    log comma
    mov ebp, dword ptr [second]
    log_number ebp
    log comma
    mov ebp, dword ptr [third]
    log_number ebp
    log newline
    sleep_forever

.include "log.inc"

.rodata
errors:     .asciz "client: brought three capabilities, errors: "
comma:      .asciz ", "
newline:    .asciz "\n"

.bss
first:      .space 4
second:     .space 4
third:      .space 4
