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
    sub esp, 8 * UTCB_MR_COUNT
    mov esi, ebx
    mov edi, esp
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    call notify
    mov ecx, dword ptr [esp + UTCB_MR1]     # of the copy
    add esp, 8 * UTCB_MR_COUNT
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret

# Tell the other server that something is going on.
notify:
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
