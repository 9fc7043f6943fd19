# The memory server of hidden_ipc: it hands out cells, 64 at a time.

.include "l4.inc"
.include "hidden_ipc.inc"

REPLY       = 2                                             # label 0, mr[0], mr[1]
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
    cmp rax, PROTO_MEMORY
    jne 1f
    cmp qword ptr [rbx + UTCB_MR0], OP_MORE
    jne 2f
    mov rax, qword ptr [rip + first]
    mov qword ptr [rbx + UTCB_MR0], rax
    mov qword ptr [rbx + UTCB_MR1], CELLS
    add rax, CELLS
    mov qword ptr [rip + first], rax
    mov eax, REPLY
    ret
1:  mov rax, BAD_PROTO
    ret
2:  mov rax, NO_SYS
    ret

.data
first:      .quad 2             # the archive has the first two already
