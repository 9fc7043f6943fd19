# The client of case 15's second half: two words, and an item that gives nothing.

.include "corpus.inc"

ASK_AND_ITEM = PROTO_SERVER << L4_TAG_LABEL_SHIFT | 1 << L4_TAG_ITEMS_SHIFT | 2

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    mov dword ptr [ebx + UTCB_MR1], 42
    mov dword ptr [ebx + UTCB_MR2], 0       # the void item
    mov dword ptr [ebx + UTCB_MR3], 0
    l4_invoke SERVER|L4_CALL, ASK_AND_ITEM, L4_TIMEOUT_NEVER
    mov ebp, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [result], ebp
    log got
    log_number ebp
    log newline
    sleep_forever

.include "log.inc"

.rodata
got:        .asciz "giver: capabilities that came: "
newline:    .asciz "\n"

.bss
result:     .space 4
