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
    mov ebp, dword ptr [ebx + UTCB_MR1]
    call ask
    mov ecx, dword ptr [ebx + UTCB_MR1]     # 102, as the other server has sent it
    sub ecx, 102
    lea ebp, [ebp + ebp]
    add ecx, ebp
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret

# Ask the other server.
ask:
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    call invoke
    ret

invoke:
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
