# A server whose IPC hides two calls down, in a memory allocator.
#
# The archive keeps numbers.  For each one dispatch allocates a cell, then takes the number
# out of mr[1].  alloc looks like pure computation, and twice it is: there are two cells in
# stock.  At the third request it calls refill, which asks the memory server for more, and
# the reply's mr[1] (64 cells) replaces the client's number.  Tests with one or two
# requests pass.  In real code this is malloc, a lock, a lazily bound symbol.
#
# Guilty: the load of mr[1] after the call of alloc.
# Cure:   load it before, as in faq_read_first.s.

.include "l4.inc"
.include "hidden_ipc.inc"

MEMORY      = 0x21 << L4_CAP_SHIFT

MORE        = PROTO_MEMORY << L4_TAG_LABEL_SHIFT | 1        # mr[0]
REPLY       = 1                                             # label 0, mr[0]
BAD_PROTO   = -L4_EBADPROTO << L4_TAG_LABEL_SHIFT
NO_SYS      = -L4_ENOSYS << L4_TAG_LABEL_SHIFT

.text
_start:
    own_utcb ebx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR          # nobody took the reply: wait for somebody else
    jnz 1b
    call dispatch
    l4_answer_and_wait eax
    jmp 2b

# Serve the request with the tag in eax; gives the tag of the reply in eax.
dispatch:
    sar eax, L4_TAG_LABEL_SHIFT
    cmp eax, PROTO_ARCHIVE
    jne 1f
    cmp dword ptr [ebx + UTCB_MR0], OP_KEEP
    jne 2f
    call alloc
    mov ecx, dword ptr [ebx + UTCB_MR1]     # GUILTY: alloc may have done a call
    mov dword ptr [eax], ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, REPLY
    ret
1:  mov eax, BAD_PROTO
    ret
2:  mov eax, NO_SYS
    ret

# Give the address of a free cell in eax.
alloc:
    mov eax, dword ptr [stock]
    test eax, eax
    jnz 1f
    call refill
1:  dec dword ptr [stock]
    mov ecx, dword ptr [next_cell]
    inc dword ptr [next_cell]
    lea eax, [cells]
    lea eax, [eax + ecx*4]
    ret

# Ask the memory server for more cells.
refill:
    mov dword ptr [ebx + UTCB_MR0], OP_MORE
    l4_invoke MEMORY|L4_CALL, MORE, L4_TIMEOUT_NEVER
    mov eax, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [next_cell], eax
    mov eax, dword ptr [ebx + UTCB_MR1]
    mov dword ptr [stock], eax
    ret

.data
stock:      .long 2             # free cells from next_cell on
next_cell:  .long 0

.bss
cells:      .space 4 * (2 + CELLS)
