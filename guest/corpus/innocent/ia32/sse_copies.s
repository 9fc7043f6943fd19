# Innocent: message registers are saved and restored in pieces of 16 bytes, by SSE, as
# compilers and memcpy do it.
#
# A piece is two words on amd64 and four on ia32, and reaches behind what was delivered.

.include "corpus.inc"

BYTES       = 240                           # 30 or 60 words

.text
_start:
    server_loop dispatch

dispatch:
    sub esp, BYTES + 16
    xor ecx, ecx
1:  movups xmm0, xmmword ptr [ebx + ecx]
    movups xmmword ptr [esp + ecx], xmm0
    add ecx, 16
    cmp ecx, BYTES
    jne 1b
    call notify
    xor ecx, ecx
1:  movups xmm0, xmmword ptr [esp + ecx]
    movups xmmword ptr [ebx + ecx], xmm0
    add ecx, 16
    cmp ecx, BYTES
    jne 1b
    add esp, BYTES + 16
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
