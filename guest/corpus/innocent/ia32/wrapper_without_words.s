# Innocent: as wrapper.s, but the request has no words.
#
# Nothing was stored for it, so no store tells whose it is.  What tells is who looks at the
# tag that came back: the caller of the function.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov ebp, dword ptr [ebx + UTCB_MR1]
    call ask
    and eax, L4_TAG_WORDS
    cmp eax, 3
    jne 1f
    mov ecx, dword ptr [ebx + UTCB_MR2]     # 103
    sub ecx, 103
    add ebp, ecx
1:  add ebp, ebp
    mov dword ptr [ebx + UTCB_MR0], ebp
    mov eax, 1
    ret

ask:
    l4_invoke OTHER|L4_CALL, PROTO_OTHER << L4_TAG_LABEL_SHIFT, L4_TIMEOUT_NEVER
    ret
