# Innocent: all message registers are saved around a nested call and restored; then one is
# sent in reply.
#
# 62 words were stored and do not go along.  That is no mistake in the count of the reply:
# they were put back where they came from.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    sub rsp, 8 * UTCB_MR_COUNT
    mov rsi, rbx
    mov rdi, rsp
    mov ecx, UTCB_MR_COUNT
    rep movsq
    call notify
    mov rsi, rsp
    mov rdi, rbx
    mov ecx, UTCB_MR_COUNT
    rep movsq
    add rsp, 8 * UTCB_MR_COUNT
    mov rcx, qword ptr [rbx + UTCB_MR1]
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret

# Tell the other server that something is going on.
notify:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
