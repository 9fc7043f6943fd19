# The memory server of the pager_refill scenarios: four pages for whoever asks.
#
# Its item's hot spot says where heaps usually begin; a client with a window of just four
# pages need not care.

.include "l4.inc"
.include "items.inc"
.include "paging.inc"

FOUR_PAGES  = (L4_PAGE_SHIFT + 2) << L4_FPAGE_ORDER_SHIFT | MEMORY | CLIENT_RW

.text
_start:
    own_utcb rbx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    mov qword ptr [rbx + UTCB_MR0], WINDOW | L4_ITEM_MAP
    lea rax, [rip + pages + 0x3fff]         # such a flexpage begins at a multiple of its size
    and rax, -0x4000
    add rax, FOUR_PAGES
    mov qword ptr [rbx + UTCB_MR1], rax
    l4_answer_and_wait ONE_ITEM
    jmp 2b

.data
pages:      .space 0x8000
