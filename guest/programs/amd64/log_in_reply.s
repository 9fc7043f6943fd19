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
    mov rcx, qword ptr [rbx + UTCB_MR1]     # all parameters are read: this is right
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR1], rcx     # the result ...
    log doubled                             # GUILTY: ... does not survive this
    mov qword ptr [rbx + UTCB_MR0], L4_EOK  # the status
    mov eax, REPLY
    ret
1:  mov rax, BAD_PROTO
    ret
2:  mov rax, NO_SYS
    ret

.include "log.inc"

.rodata
doubled:    .asciz "server: doubled\n"      # 16 bytes
