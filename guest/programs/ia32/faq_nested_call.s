# The classic: a server that does IPC before it has read all its parameters.
#
# A client sends an opcode in mr[0] and a number in mr[1], and wants it doubled.  dispatch
# reads the opcode, tells another server, and only then reads the number.  But a thread has
# one set of message registers: the nested call put its own request there, and the kernel
# its reply, whose mr[1] is the number of listeners: 7.  The client gets 14 instead of 84.
#
# Guilty: the load of mr[1] after the call of notify_my_other_server.
# Cures:  faq_read_first.s, faq_saved_utcb.s.

.include "l4.inc"
.include "faq.inc"

NOTIFIER    = 0x21 << L4_CAP_SHIFT

NOTIFY      = PROTO_NOTIFIER << L4_TAG_LABEL_SHIFT | 2      # mr[0], mr[1]
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
    cmp eax, PROTO_DOUBLER
    jne 1f
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 2f
    call notify_my_other_server
    mov ecx, dword ptr [ebx + UTCB_MR1]     # GUILTY: the client's 42 is gone since the call
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, REPLY
    ret
1:  mov eax, BAD_PROTO
    ret
2:  mov eax, NO_SYS
    ret

# Tell the other server that something is going on.  An innocent name for a call that
# needs the message registers: two for its request, two for the reply that it ignores.
notify_my_other_server:
    mov dword ptr [ebx + UTCB_MR0], OP_NOTIFY
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke NOTIFIER|L4_CALL, NOTIFY, L4_TIMEOUT_NEVER
    ret
