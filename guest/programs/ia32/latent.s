# The bug of faq_nested_call.s, alive by luck.
#
# dispatch does a nested call before it has read the number in mr[1], but the request of
# that call has one word and its reply none.  Message registers beyond the count of a
# message keep what they held, so mr[1] still is the client's 42 and the answer is right.
# It breaks on the day when the other server adds a word to its protocol.
#
# Guilty, without consequence yet: the load of mr[1] after the call.
# Cure: faq_read_first.s.

.include "l4.inc"
.include "faq.inc"

NOTIFIER    = 0x21 << L4_CAP_SHIFT

NOTIFY      = PROTO_NOTIFIER << L4_TAG_LABEL_SHIFT | 1      # mr[0]
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
    mov ecx, dword ptr [ebx + UTCB_MR1]     # GUILTY, but nobody has touched it
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, REPLY
    ret
1:  mov eax, BAD_PROTO
    ret
2:  mov eax, NO_SYS
    ret

# Tell the other server that something is going on: no channel, and no news wanted.
notify_my_other_server:
    mov dword ptr [ebx + UTCB_MR0], OP_NOTIFY
    l4_invoke NOTIFIER|L4_CALL, NOTIFY, L4_TIMEOUT_NEVER
    ret
