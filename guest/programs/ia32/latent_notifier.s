# The other server of latent: it hears of events and replies with no words at all.

.include "l4.inc"
.include "faq.inc"

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
    cmp eax, PROTO_NOTIFIER
    jne 1f
    cmp dword ptr [ebx + UTCB_MR0], OP_NOTIFY
    jne 2f
    log heard
    xor eax, eax                    # label 0, no words
    ret
1:  mov eax, BAD_PROTO
    ret
2:  mov eax, NO_SYS
    ret

.include "log.inc"

.rodata
heard:      .asciz "notifier: heard\n"
