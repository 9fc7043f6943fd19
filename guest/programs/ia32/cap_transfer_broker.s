# The broker of cap_transfer: gives everybody the capability of the service.

.include "l4.inc"
.include "items.inc"

SERVICE_CAP = 0x21 << L4_CAP_SHIFT

.text
_start:
    own_utcb ebx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    mov dword ptr [ebx + UTCB_MR0], L4_ITEM_MAP
    mov dword ptr [ebx + UTCB_MR1], SERVICE_CAP | OBJECT | L4_RIGHT_R | L4_RIGHT_W
    l4_answer_and_wait ONE_ITEM
    jmp 2b
