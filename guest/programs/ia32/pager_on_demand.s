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
    own_utcb ebx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR          # nobody took the reply: wait for somebody else
    jnz 1b
    mov dword ptr [whose], esi
    call dispatch
    l4_answer_and_wait eax
    jmp 2b

# Serve the message with the tag in eax; gives the tag of the reply in eax.
dispatch:
    sar eax, L4_TAG_LABEL_SHIFT
    cmp eax, L4_PROTO_PAGE_FAULT
    je 1f
    mov eax, dword ptr [faults]
    mov dword ptr [ebx + UTCB_MR0], eax
    mov eax, 1
    ret
1:  mov ecx, dword ptr [faults]
    cmp ecx, PAGES
    je 2f
    inc dword ptr [faults]
    mov eax, dword ptr [ebx + UTCB_MR0]
    and eax, PAGE_MASK
    or eax, L4_ITEM_MAP
    mov dword ptr [ebx + UTCB_MR0], eax
    shl ecx, L4_PAGE_SHIFT
    lea eax, [pages]
    lea eax, [eax + ecx + ONE_PAGE + CLIENT_RW]
    mov dword ptr [ebx + UTCB_MR1], eax
    mov eax, ONE_ITEM
    ret
2:  mov eax, NO_MEMORY
    ret

.data
faults:     .long 0
whose:      .long 0                 # label of the last message: 16 times the task, and rights
.balign 0x1000
pages:      .space 0x1000 * PAGES
