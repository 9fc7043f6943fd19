# The other server of the faq_* scenarios: it tells its listeners about an event.
#
# It does no IPC but its log write, and that comes after it has read the request and
# before it builds the reply: nothing can go wrong here.

.include "l4.inc"
.include "faq.inc"

LISTENERS   = 7
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
    cmp eax, PROTO_NOTIFIER
    jne 1f
    cmp dword ptr [ebx + UTCB_MR0], OP_NOTIFY
    jne 2f
    log told
    inc dword ptr [events]
    mov eax, dword ptr [events]
    mov dword ptr [ebx + UTCB_MR0], eax
    mov dword ptr [ebx + UTCB_MR1], LISTENERS
    mov eax, REPLY
    ret
1:  mov eax, BAD_PROTO
    ret
2:  mov eax, NO_SYS
    ret

.include "log.inc"

.rodata
told:       .asciz "notifier: told 7 listeners\n"

.bss
events:     .space 4
