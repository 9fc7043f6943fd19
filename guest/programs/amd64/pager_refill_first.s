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
    mov rbp, qword ptr [rbx + UTCB_MR0]
    cmp qword ptr [rip + left], 0
    jne 1f
    call refill
1:  and rbp, PAGE_MASK
    or rbp, L4_ITEM_MAP
    mov qword ptr [rbx + UTCB_MR0], rbp
    mov rax, qword ptr [rip + next_page]
    add qword ptr [rip + next_page], L4_PAGE_SIZE
    add rax, ONE_PAGE + CLIENT_RW
    mov qword ptr [rbx + UTCB_MR1], rax
    dec qword ptr [rip + left]
    ret

.include "pager_refill.inc"

.data
next_page:  .quad pages
left:       .quad 2
faults:     .quad 0
.balign 0x1000
pages:      .space 0x1000 * 2
