# Innocent: dispatch does not call the function that serves but jumps to it, as compilers do
# with a call at the end of a function.
#
# The frames on the stack are not those of the functions; the message is alive all the same.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    je double
    mov rax, NO_SYS
    ret

double:
    mov rbp, qword ptr [rbx + UTCB_MR1]
    lea rcx, [rip + 1f]
    push rcx
    jmp notify
1:  add rbp, rbp
    mov qword ptr [rbx + UTCB_MR0], rbp
    mov eax, 1
    ret

# Tell the other server that something is going on.
notify:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
