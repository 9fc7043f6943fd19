# Innocent: a function puts a request together and does the call; its caller reads the answer
# out of the message registers.
#
# When the answer is read, the function that asked for it has returned.  But its caller is
# whom it asked for.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov rbp, qword ptr [rbx + UTCB_MR1]
    call ask
    mov rcx, qword ptr [rbx + UTCB_MR1]     # 102, as the other server has sent it
    sub rcx, 102
    lea rbp, [rbp + rbp]
    add rcx, rbp
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret

# Ask the other server.
ask:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    call invoke
    ret

invoke:
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
