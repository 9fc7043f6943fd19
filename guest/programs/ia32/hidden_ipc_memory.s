# The memory server of hidden_ipc: it hands out cells, 64 at a time.

.include "l4.inc"
.include "hidden_ipc.inc"

REPLY       = 2                                             # label 0, mr[0], mr[1]
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
    cmp eax, PROTO_MEMORY
    jne 1f
    cmp dword ptr [ebx + UTCB_MR0], OP_MORE
    jne 2f
    mov eax, dword ptr [first]
    mov dword ptr [ebx + UTCB_MR0], eax
    mov dword ptr [ebx + UTCB_MR1], CELLS
    add eax, CELLS
    mov dword ptr [first], eax
    mov eax, REPLY
    ret
1:  mov eax, BAD_PROTO
    ret
2:  mov eax, NO_SYS
    ret

.data
first:      .long 2             # the archive has the first two already
