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
    mov ecx, dword ptr [ebx + UTCB_MR1]
    add ecx, ecx
    sub esp, 8 * 2
    mov dword ptr [esp], OP_DOUBLE
    mov dword ptr [esp + UTCB_MR1], ecx
    call notify
    mov esi, esp
    mov edi, ebx
    mov ecx, 2
    rep movs dword ptr [edi], dword ptr [esi]
    add esp, 8 * 2
    mov ecx, dword ptr [ebx + UTCB_MR1]     # its own word
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret

# Tell the other server that something is going on.
notify:
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
