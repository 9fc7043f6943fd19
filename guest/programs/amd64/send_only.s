# The bug of faq_nested_call.s without any reply: the kernel never writes to our UTCB.
#
# dispatch tells the other server by a plain send, so nothing comes back that could
# overwrite the number in mr[1].  But the request has to go somewhere: its channel, 3, was
# put into mr[1], by ourselves.  The client gets 6 instead of 84.
#
# Guilty: the load of mr[1] after the call of notify_my_other_server.
# Cure: faq_read_first.s.

.include "l4.inc"
.include "faq.inc"

NOTIFIER    = 0x21 << L4_CAP_SHIFT

NOTIFY      = PROTO_NOTIFIER << L4_TAG_LABEL_SHIFT | 2      # mr[0], mr[1]
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
    cmp rax, PROTO_DOUBLER
    jne 1f
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 2f
    call notify_my_other_server
    mov rcx, qword ptr [rbx + UTCB_MR1]     # GUILTY: this is the channel
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, REPLY
    ret
1:  mov rax, BAD_PROTO
    ret
2:  mov rax, NO_SYS
    ret

# Tell the other server that something is going on, and do not wait for an answer.
notify_my_other_server:
    mov qword ptr [rbx + UTCB_MR0], OP_NOTIFY
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke NOTIFIER|L4_SEND, NOTIFY, L4_TIMEOUT_NEVER
    ret
