# The memory server of case 5: it gives a page for the address in mr[0].

.include "corpus.inc"

MAP         = 8                             # a map item (ABI 4.9)
PAGE        = 12 << 6 | 0x16                # a flexpage: memory, one page, read and write
ONE_ITEM    = 1 << L4_TAG_ITEMS_SHIFT

.text
_start:
    server_loop dispatch

dispatch:
    or qword ptr [rbx + UTCB_MR0], MAP      # it goes to the address that was asked for
    lea rax, [rip + page]
    or rax, PAGE
    mov qword ptr [rbx + UTCB_MR1], rax
    mov eax, ONE_ITEM
    ret

.bss
page:       .space 4096
