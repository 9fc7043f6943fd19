# A server that prints while its reply lies in the message registers.
#
# dispatch puts the result into mr[1], reports on the log that it is done, and adds the
# status in mr[0].  But a log write is a system call with parameters of its own: an opcode
# in mr[0], the length of the text in mr[1], the text from mr[2] on.  The length is 16, and
# that is what the client takes for its result.  The print was there to find a bug.
#
# Guilty: the log write between the store to mr[1] and the reply.
# Cure:   print first, or build the reply last.

.include "l4.inc"
.include "faq.inc"

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
    cmp eax, PROTO_DOUBLER
    jne 1f
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 2f
    mov ecx, dword ptr [ebx + UTCB_MR1]     # all parameters are read: this is right
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR1], ecx     # the result ...
    log doubled                             # GUILTY: ... does not survive this
    mov dword ptr [ebx + UTCB_MR0], L4_EOK  # the status
    mov eax, REPLY
    ret
1:  mov eax, BAD_PROTO
    ret
2:  mov eax, NO_SYS
    ret

.include "log.inc"

.rodata
doubled:    .asciz "server: doubled\n"      # 16 bytes
