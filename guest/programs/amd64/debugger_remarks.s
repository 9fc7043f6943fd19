# What a program tells the kernel debugger of itself: entries of its trace buffer, which it
# then reads in the buffer, and that it wants to be looked at.

.include "l4.inc"

TRACE_VALUES = L4_PROTO_DEBUGGER << L4_TAG_LABEL_SHIFT | 6  # three values and their text
SHOW         = L4_PROTO_DEBUGGER << L4_TAG_LABEL_SHIFT | 2
ENTER        = L4_PROTO_DEBUGGER << L4_TAG_LABEL_SHIFT | 4

STATUS      = 0x10000000
RING        = 0x10010000
MEMORY      = 1 << 4 | 4                                    # a flexpage of memory to read
PAGE_ORDER  = 12 << 6
RING_ORDER  = 15 << 6
TAIL        = 128                                           # in the status page
SLOT_SHIFT  = 7                                             # 128 bytes
VALUES      = 48                                            # in a slot

.text
_start:
    own_utcb rbx

    # The second entry of two: 11, 12 and 13 with the text "step".
    mov ebp, 2
1:  mov qword ptr [rbx + UTCB_MR0], L4_DEBUGGER_TRACE_VALUES
    mov qword ptr [rbx + UTCB_MR0 + 8], 11
    mov qword ptr [rbx + UTCB_MR0 + 16], 12
    mov qword ptr [rbx + UTCB_MR0 + 24], 13
    mov qword ptr [rbx + UTCB_MR0 + 32], 4
    mov qword ptr [rbx + UTCB_MR0 + 40], 0x70657473         # "step"
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, TRACE_VALUES, L4_TIMEOUT_NEVER
    dec ebp
    jnz 1b

    mov qword ptr [rbx + UTCB_MR0], L4_DEBUGGER_TRACE_STATUS
    mov qword ptr [rbx + UTCB_MR1], STATUS | PAGE_ORDER | MEMORY
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, SHOW, L4_TIMEOUT_NEVER
    mov qword ptr [rbx + UTCB_MR0], L4_DEBUGGER_TRACE_SLOTS
    mov qword ptr [rbx + UTCB_MR1], RING | RING_ORDER | MEMORY
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, SHOW, L4_TIMEOUT_NEVER

    # Where the latest entry is, the buffer says itself.
    mov ecx, STATUS
    mov r12, qword ptr [rcx + TAIL]
    mov rcx, r12
    shl rcx, SLOT_SHIFT
    add rcx, RING
    mov r13, qword ptr [rcx + VALUES + 16]
    log entry
    log_number r12
    log ends_with
    log_number r13
    log newline

    mov qword ptr [rbx + UTCB_MR0], L4_DEBUGGER_ENTER
    mov qword ptr [rbx + UTCB_MR1], 11
    movabs rax, 0x6c20657361656c70                          # "please l"
    mov qword ptr [rbx + UTCB_MR2], rax
    mov qword ptr [rbx + UTCB_MR2 + 8], 0x6b6f6f            # "ook"
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, ENTER, L4_TIMEOUT_NEVER
    log on
    sleep_forever

.include "log.inc"

.rodata
entry:      .asciz "entry "
ends_with:  .asciz " ends with "
newline:    .asciz "\n"
on:         .asciz "and on\n"
