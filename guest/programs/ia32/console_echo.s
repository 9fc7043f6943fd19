# Reading the console: an interrupt says that there is input, and reads take it away.
#
# The log is an interrupt controller with one pin.  The answer to a read does not count its
# words in the tag: the number of bytes is in mr[0], with bit 31 when that was all, and the
# text from mr[1] on.

.include "l4.inc"

INPUT_IRQ   = 0x30 << L4_CAP_SHIFT

BIND_PIN    = L4_PROTO_IRQ << L4_TAG_LABEL_SHIFT | 1 << L4_TAG_ITEMS_SHIFT | 2
END_OF_IRQ  = L4_PROTO_IRQ << L4_TAG_LABEL_SHIFT | 1
READ        = L4_PROTO_LOG << L4_TAG_LABEL_SHIFT | 1

MAP_ITEM    = 8
OBJECT      = 3 << 4 | L4_RIGHT_R
SIZE        = 8                                             # bytes at a time

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], L4_ICU_BIND
    mov dword ptr [ebx + UTCB_MR1], 0                       # the pin
    mov dword ptr [ebx + UTCB_MR2], MAP_ITEM
    mov dword ptr [ebx + UTCB_MR3], INPUT_IRQ|OBJECT
    l4_invoke L4_CAP_LOG|L4_CALL, BIND_PIN, L4_TIMEOUT_NEVER
1:  mov dword ptr [ebx + UTCB_MR0], L4_IRQ_EOI
    l4_invoke INPUT_IRQ|L4_CALL, END_OF_IRQ, L4_TIMEOUT_NEVER
    log there
2:  mov dword ptr [ebx + UTCB_MR0], SIZE << 16 | L4_VCON_READ
    l4_invoke L4_CAP_LOG|L4_CALL, READ, L4_TIMEOUT_NEVER
    mov ecx, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [count], ecx
    and ecx, 0xff
    mov edx, dword ptr [ebx + UTCB_MR1]
    mov dword ptr [text], edx
    mov edx, dword ptr [ebx + UTCB_MR1 + 4]
    mov dword ptr [text + 4], edx
    lea eax, [text]
    mov byte ptr [eax + ecx], 0
    log open
    log text
    log shut
    test dword ptr [count], 0x80000000
    jz 2b
    jmp 1b

.include "log.inc"

.rodata
there:      .asciz "there is input\n"
open:       .asciz "<"
shut:       .asciz ">\n"

.bss
count:      .space 4
text:       .space 16
