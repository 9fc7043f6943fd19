# Innocent: as wrapper.s, but the request has no words.
#
# Nothing was stored for it, so nothing tells who put it together but who called the function.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov rbp, qword ptr [rbx + UTCB_MR1]
    call ask
    mov rcx, qword ptr [rbx + UTCB_MR2]     # 103
    sub rcx, 103
    lea rbp, [rbp + rbp]
    add rcx, rbp
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret

ask:
    l4_invoke OTHER|L4_CALL, PROTO_OTHER << L4_TAG_LABEL_SHIFT, L4_TIMEOUT_NEVER
    ret
