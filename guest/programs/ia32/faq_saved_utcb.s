# The second cure of faq_nested_call.s: save the message registers around the call.
#
# dispatch still reads the number after the call, but it copied all message registers to
# its stack before and copies them back afterwards.  That costs 126 word copies, and is
# what code must do that cannot know what is still unread: L4Re's printf, for example.

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
    sub esp, 4 * UTCB_MR_COUNT
    mov esi, ebx                            # the cure: save ...
    mov edi, esp
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    call notify_my_other_server
    mov esi, esp                            # ... and restore
    mov edi, ebx
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    add esp, 4 * UTCB_MR_COUNT
    mov ecx, dword ptr [ebx + UTCB_MR1]     # innocent: this is the client's 42 again
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
