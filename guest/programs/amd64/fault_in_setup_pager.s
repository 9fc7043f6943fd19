# A pager as it should be: its reply is one item and no words.
#
# So what the reply writes at the client is mr[0] and mr[1], and these the kernel gives
# back.

.include "l4.inc"
.include "items.inc"
.include "paging.inc"

.text
_start:
    own_utcb rbx
    l4_open_wait
1:  mov rax, qword ptr [rbx + UTCB_MR0]
    and rax, PAGE_MASK
    or rax, L4_ITEM_MAP
    mov qword ptr [rbx + UTCB_MR0], rax
    lea rax, [rip + page + ONE_PAGE + CLIENT_RW]
    mov qword ptr [rbx + UTCB_MR1], rax
    l4_answer_and_wait ONE_ITEM
    jmp 1b

.data
.balign 0x1000
page:       .quad 8
            .space 0x1000 - UTCB_WORD
