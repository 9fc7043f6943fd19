# Innocent: all message registers are copied out, a nested call follows, and the copy is
# used.
#
# The copy takes words along that no message has brought, and nothing is ever put back.
# Neither matters: of what was not delivered nothing is used.

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
    mov rcx, qword ptr [rsp + UTCB_MR1]     # of the copy
    add rsp, 8 * UTCB_MR_COUNT
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
