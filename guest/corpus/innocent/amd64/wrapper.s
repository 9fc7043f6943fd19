# Innocent: a server puts a request of its own together, has a function do the call, and reads
# the answer out of the message registers.
#
# When the answer is read, the function that made the system call has returned.  But the
# request was the server's, and so is the answer.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov rbp, qword ptr [rbx + UTCB_MR1]
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    call invoke
    mov rcx, qword ptr [rbx + UTCB_MR1]     # 102, as the other server has sent it
    sub rcx, 102
    lea rbp, [rbp + rbp]
    add rcx, rbp
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret

invoke:
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
