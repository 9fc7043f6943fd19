# Innocent: the answer is made on the stack, copied over the request's words after a nested
# call, and one word of it is read again where it now is.
#
# That is what a restore looks like whose save was left out.  But what is put there was
# stored on the stack: it is no leftover.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov rcx, qword ptr [rbx + UTCB_MR1]
    add rcx, rcx
    sub rsp, 8 * 2
    mov qword ptr [rsp], OP_DOUBLE
    mov qword ptr [rsp + UTCB_MR1], rcx
    call notify
    mov rsi, rsp
    mov rdi, rbx
    mov ecx, 2
    rep movsq
    add rsp, 8 * 2
    mov rcx, qword ptr [rbx + UTCB_MR1]     # its own word
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret

# Tell the other server that something is going on.
notify:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
