# The first cure of faq_nested_call.s: read every parameter, then talk to others.
#
# dispatch takes the number out of mr[1] into a register that calls preserve.  After that
# the nested call may do with the message registers what it likes.

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
    mov r12, qword ptr [rbx + UTCB_MR1]     # the cure: everything is read before the call
    call notify_my_other_server
    add r12, r12
    mov qword ptr [rbx + UTCB_MR0], r12
    mov eax, REPLY
    ret
1:  mov rax, BAD_PROTO
    ret
2:  mov rax, NO_SYS
    ret

# Tell the other server that something is going on.  An innocent name for a call that
# needs the message registers: two for its request, two for the reply that it ignores.
notify_my_other_server:
    mov qword ptr [rbx + UTCB_MR0], OP_NOTIFY
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke NOTIFIER|L4_CALL, NOTIFY, L4_TIMEOUT_NEVER
    ret
