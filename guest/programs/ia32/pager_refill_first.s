# The pager of pager_refill.s, cured: it reads the fault, refills its stock if it has to,
# and builds its reply last.

.include "l4.inc"
.include "items.inc"
.include "paging.inc"

.text
_start:
    jmp serve

# Build the item that resolves the page fault in mr[0] and mr[1].
page_in:
    mov ebp, dword ptr [ebx + UTCB_MR0]
    cmp dword ptr [left], 0
    jne 1f
    call refill
1:  and ebp, PAGE_MASK
    or ebp, L4_ITEM_MAP
    mov dword ptr [ebx + UTCB_MR0], ebp
    mov eax, dword ptr [next_page]
    add dword ptr [next_page], L4_PAGE_SIZE
    add eax, ONE_PAGE + CLIENT_RW
    mov dword ptr [ebx + UTCB_MR1], eax
    dec dword ptr [left]
    ret

.include "pager_refill.inc"

.data
next_page:  .long pages
left:       .long 2
faults:     .long 0
.balign 0x1000
pages:      .space 0x1000 * 2
