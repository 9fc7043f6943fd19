# Innocent: dispatch does not call the function that serves but jumps to it, as compilers do
# with a call at the end of a function.
#
# The frames on the stack are not those of the functions; the message is alive all the same.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    je double
    mov eax, NO_SYS
    ret

double:
    mov ebp, dword ptr [ebx + UTCB_MR1]
    lea ecx, [1f]
    push ecx
    jmp notify
1:  add ebp, ebp
    mov dword ptr [ebx + UTCB_MR0], ebp
    mov eax, 1
    ret

# Tell the other server that something is going on.
notify:
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
