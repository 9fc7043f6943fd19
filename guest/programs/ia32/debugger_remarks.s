# What a program tells the kernel debugger of itself: entries of its trace buffer, which it
# then reads in the buffer, and that it wants to be looked at.

.include "l4.inc"

TRACE_VALUES = L4_PROTO_DEBUGGER << L4_TAG_LABEL_SHIFT | 6  # three values and their text
SHOW         = L4_PROTO_DEBUGGER << L4_TAG_LABEL_SHIFT | 2
ENTER        = L4_PROTO_DEBUGGER << L4_TAG_LABEL_SHIFT | 5

STATUS      = 0x10000000
RING        = 0x10010000
MEMORY      = 1 << 4 | 4                                    # a flexpage of memory to read
PAGE_ORDER  = 12 << 6
RING_ORDER  = 14 << 6
TAIL        = 128                                           # in the status page
SLOT_SHIFT  = 6                                             # 64 bytes
VALUES      = 36                                            # in a slot

.text
_start:
    own_utcb ebx

    # The second entry of two: 11, 12 and 13 with the text "step".
1:  mov dword ptr [ebx + UTCB_MR0], L4_DEBUGGER_TRACE_VALUES
    mov dword ptr [ebx + UTCB_MR0 + 4], 11
    mov dword ptr [ebx + UTCB_MR0 + 8], 12
    mov dword ptr [ebx + UTCB_MR0 + 12], 13
    mov dword ptr [ebx + UTCB_MR0 + 16], 4
    mov dword ptr [ebx + UTCB_MR0 + 20], 0x70657473         # "step"
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, TRACE_VALUES, L4_TIMEOUT_NEVER
    dec dword ptr [count]
    jnz 1b

    mov dword ptr [ebx + UTCB_MR0], L4_DEBUGGER_TRACE_STATUS
    mov dword ptr [ebx + UTCB_MR1], STATUS | PAGE_ORDER | MEMORY
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, SHOW, L4_TIMEOUT_NEVER
    mov dword ptr [ebx + UTCB_MR0], L4_DEBUGGER_TRACE_SLOTS
    mov dword ptr [ebx + UTCB_MR1], RING | RING_ORDER | MEMORY
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, SHOW, L4_TIMEOUT_NEVER

    # Where the latest entry is, the buffer says itself.
    mov ecx, STATUS
    mov esi, dword ptr [ecx + TAIL]
    mov dword ptr [number], esi
    mov ecx, esi
    shl ecx, SLOT_SHIFT
    add ecx, RING
    mov esi, dword ptr [ecx + VALUES + 8]
    mov dword ptr [last], esi
    log entry
    mov ecx, dword ptr [number]
    log_number ecx
    log ends_with
    mov ecx, dword ptr [last]
    log_number ecx
    log newline

    mov dword ptr [ebx + UTCB_MR0], L4_DEBUGGER_ENTER
    mov dword ptr [ebx + UTCB_MR1], 11
    mov dword ptr [ebx + UTCB_MR2], 0x61656c70              # "plea"
    mov dword ptr [ebx + UTCB_MR2 + 4], 0x6c206573          # "se l"
    mov dword ptr [ebx + UTCB_MR2 + 8], 0x6b6f6f            # "ook"
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, ENTER, L4_TIMEOUT_NEVER
    log on
    sleep_forever

.include "log.inc"

.rodata
entry:      .asciz "entry "
ends_with:  .asciz " ends with "
newline:    .asciz "\n"
on:         .asciz "and on\n"

.data
count:      .long 2
number:     .long 0
last:       .long 0
