# A pager as it should be: its reply is one item and no words.
#
# So what the reply writes at the client is mr[0] and mr[1], and these the kernel gives
# back.

.include "l4.inc"
.include "items.inc"
.include "paging.inc"

.text
_start:
    own_utcb ebx
    l4_open_wait
1:  mov eax, dword ptr [ebx + UTCB_MR0]
    and eax, PAGE_MASK
    or eax, L4_ITEM_MAP
    mov dword ptr [ebx + UTCB_MR0], eax
    lea eax, [page + ONE_PAGE + CLIENT_RW]
    mov dword ptr [ebx + UTCB_MR1], eax
    l4_answer_and_wait ONE_ITEM
    jmp 1b

.data
.balign 0x1000
page:       .long 8
            .space 0x1000 - UTCB_WORD
