# Innocent: as wrapper.s, but the request has no words.
#
# Nothing was stored for it, so nothing tells who put it together but who called the function.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov ebp, dword ptr [ebx + UTCB_MR1]
    call ask
    mov ecx, dword ptr [ebx + UTCB_MR2]     # 103
    sub ecx, 103
    lea ebp, [ebp + ebp]
    add ecx, ebp
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret

ask:
    l4_invoke OTHER|L4_CALL, PROTO_OTHER << L4_TAG_LABEL_SHIFT, L4_TIMEOUT_NEVER
    ret
