# The pager of page_fault_forever: maps a page of its own for each page fault.

.include "l4.inc"

WINDOW      = 0x10000000                # where the client's pages begin
MEMORY      = 1 << 4
MAP_ITEM    = 8
PAGE        = 12                        # order

.text
_start:
    own_utcb ebx
    l4_open_wait
1:  mov eax, dword ptr [ebx + UTCB_MR0]
    and eax, -0x1000
    lea ecx, [eax + MAP_ITEM]
    lea edx, [pages]
    lea eax, [eax + edx - WINDOW + (PAGE << 6) + MEMORY + 6]
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov dword ptr [ebx + UTCB_MR1], eax
    l4_answer_and_wait 1<<L4_TAG_ITEMS_SHIFT
    jmp 1b

.data
.balign 0x1000
pages:      .space 0x100000
