# The pager of page_fault_forever: maps a page of its own for each page fault.

.include "l4.inc"

WINDOW      = 0x10000000                # where the client's pages begin
MEMORY      = 1 << 4
MAP_ITEM    = 8
PAGE        = 12                        # order

.text
_start:
    own_utcb rbx
    l4_open_wait
1:  mov rax, qword ptr [rbx + UTCB_MR0]
    and rax, -0x1000
    lea rcx, [rax + MAP_ITEM]
    lea rdx, [rip + pages]
    lea rax, [rax + rdx - WINDOW + (PAGE << 6) + MEMORY + 6]
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov qword ptr [rbx + UTCB_MR1], rax
    l4_answer_and_wait 1<<L4_TAG_ITEMS_SHIFT
    jmp 1b

.data
.balign 0x1000
pages:      .space 0x100000
