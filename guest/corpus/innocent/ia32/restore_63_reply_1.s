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
    sub esp, 8 * UTCB_MR_COUNT
    mov esi, ebx
    mov edi, esp
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    call notify
    mov esi, esp
    mov edi, ebx
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    add esp, 8 * UTCB_MR_COUNT
    mov ecx, dword ptr [ebx + UTCB_MR1]
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
