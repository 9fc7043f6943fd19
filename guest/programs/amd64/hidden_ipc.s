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
    own_utcb rbx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR          # nobody took the reply: wait for somebody else
    jnz 1b
    call dispatch
    l4_answer_and_wait rax
    jmp 2b

# Serve the request with the tag in rax; gives the tag of the reply in rax.
dispatch:
    sar rax, L4_TAG_LABEL_SHIFT
    cmp rax, PROTO_ARCHIVE
    jne 1f
    cmp qword ptr [rbx + UTCB_MR0], OP_KEEP
    jne 2f
    call alloc
    mov rcx, qword ptr [rbx + UTCB_MR1]     # GUILTY: alloc may have done a call
    mov qword ptr [rax], rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, REPLY
    ret
1:  mov rax, BAD_PROTO
    ret
2:  mov rax, NO_SYS
    ret

# Give the address of a free cell in rax.
alloc:
    mov rax, qword ptr [rip + stock]
    test rax, rax
    jnz 1f
    call refill
1:  dec qword ptr [rip + stock]
    mov rcx, qword ptr [rip + next_cell]
    inc qword ptr [rip + next_cell]
    lea rax, [rip + cells]
    lea rax, [rax + rcx*8]
    ret

# Ask the memory server for more cells.
refill:
    mov qword ptr [rbx + UTCB_MR0], OP_MORE
    l4_invoke MEMORY|L4_CALL, MORE, L4_TIMEOUT_NEVER
    mov rax, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + next_cell], rax
    mov rax, qword ptr [rbx + UTCB_MR1]
    mov qword ptr [rip + stock], rax
    ret

.data
stock:      .quad 2             # free cells from next_cell on
next_cell:  .quad 0

.bss
cells:      .space 8 * (2 + CELLS)
