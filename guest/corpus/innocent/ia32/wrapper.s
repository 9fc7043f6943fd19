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
    mov ebp, dword ptr [ebx + UTCB_MR1]
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    call invoke
    mov ecx, dword ptr [ebx + UTCB_MR1]     # 102, as the other server has sent it
    sub ecx, 102
    lea ebp, [ebp + ebp]
    add ecx, ebp
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret

invoke:
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
