# A pager that refills its stock while its reply is under construction.
#
# The item that answers a page fault stands in mr[0] and mr[1].  Once the last page is
# given away there is a moment to get new ones, so that the next client need not wait, and
# that is a call: what came of the memory server's item replaces mr[0].  It looks like an
# item too.  Its hot spot is where the memory server thinks that a heap begins, so the
# client's new page appears there, in place of a page that the client had written to.
#
# Guilty: the call of refill in page_in.
# Cure:   pager_refill_first.s.

.include "l4.inc"
.include "items.inc"
.include "paging.inc"

.text
_start:
    jmp serve

# Build the item that resolves the page fault in mr[0] and mr[1].
page_in:
    mov eax, dword ptr [ebx + UTCB_MR0]
    and eax, PAGE_MASK
    or eax, L4_ITEM_MAP
    mov dword ptr [ebx + UTCB_MR0], eax
    mov eax, dword ptr [next_page]
    add dword ptr [next_page], L4_PAGE_SIZE
    add eax, ONE_PAGE + CLIENT_RW
    mov dword ptr [ebx + UTCB_MR1], eax
    dec dword ptr [left]
    jnz 1f
    call refill                     # GUILTY: the reply is in the message registers already
1:  ret

.include "pager_refill.inc"

.data
next_page:  .long pages
left:       .long 2
faults:     .long 0
.balign 0x1000
pages:      .space 0x1000 * 2
