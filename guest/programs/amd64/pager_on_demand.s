# A pager that gives its client a page when it touches one.
#
# The fault arrives as a message of the kernel: label -2, mr[0] = address and what was
# tried, mr[1] = instruction.  The reply is one item: where the page goes, and which it is.
# The kernel restores the words of the client's UTCB that this conversation took.

.include "l4.inc"
.include "items.inc"
.include "paging.inc"

PAGES       = 4
NO_MEMORY   = -L4_ENOMEM << L4_TAG_LABEL_SHIFT

.text
_start:
    own_utcb rbx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR          # nobody took the reply: wait for somebody else
    jnz 1b
    mov qword ptr [rip + whose], rsi
    call dispatch
    l4_answer_and_wait rax
    jmp 2b

# Serve the message with the tag in rax; gives the tag of the reply in rax.
dispatch:
    sar rax, L4_TAG_LABEL_SHIFT
    cmp rax, L4_PROTO_PAGE_FAULT
    je 1f
    mov rax, qword ptr [rip + faults]
    mov qword ptr [rbx + UTCB_MR0], rax
    mov eax, 1
    ret
1:  mov rcx, qword ptr [rip + faults]
    cmp rcx, PAGES
    je 2f
    inc qword ptr [rip + faults]
    mov rax, qword ptr [rbx + UTCB_MR0]
    and rax, PAGE_MASK
    or rax, L4_ITEM_MAP
    mov qword ptr [rbx + UTCB_MR0], rax
    shl rcx, L4_PAGE_SHIFT
    lea rax, [rip + pages]
    lea rax, [rax + rcx + ONE_PAGE + CLIENT_RW]
    mov qword ptr [rbx + UTCB_MR1], rax
    mov eax, ONE_ITEM
    ret
2:  mov rax, NO_MEMORY
    ret

.data
faults:     .quad 0
whose:      .quad 0                 # label of the last message: 16 times the task, and rights
.balign 0x1000
pages:      .space 0x1000 * PAGES
