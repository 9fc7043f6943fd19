# A pager that says more than it was asked for.
#
# It puts three words of statistics before its item: how many faults there were, how many
# pages are left, how many are in use.  An ordinary client would ignore them.  But this
# client is whoever happened to touch a page, and these are its message registers: the
# kernel gives mr[0] and mr[1] back, and from mr[2] on they stay as the reply left them.
#
# Guilty: the words of the reply.
# Cure:   fault_in_setup_pager.s.

.include "l4.inc"
.include "items.inc"
.include "paging.inc"

STATISTICS  = 3

.text
_start:
    own_utcb rbx
    l4_open_wait
1:  mov rax, qword ptr [rbx + UTCB_MR0]
    and rax, PAGE_MASK
    or rax, L4_ITEM_MAP
    mov qword ptr [rbx + UTCB_MR3], rax
    lea rax, [rip + page + ONE_PAGE + CLIENT_RW]
    mov qword ptr [rbx + UTCB_MR4], rax
    mov qword ptr [rbx + UTCB_MR0], 1
    mov qword ptr [rbx + UTCB_MR1], 0
    mov qword ptr [rbx + UTCB_MR2], 1
    l4_answer_and_wait ONE_ITEM|STATISTICS      # GUILTY: words, in a reply to a page fault
    jmp 1b

.data
.balign 0x1000
page:       .quad 8
            .space 0x1000 - UTCB_WORD
