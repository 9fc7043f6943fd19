# Case 15, cured: all message registers are restored, on every way; the story is in buggy.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 1f
    call record
    mov ecx, dword ptr [ebx + UTCB_MR1]
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret
1:  mov eax, NO_SYS
    ret

# Have the other server record that a request came; it may know that already (101).
record:
    sub esp, 8 * UTCB_MR_COUNT
    mov esi, ebx
    mov edi, esp
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    cmp dword ptr [ebx + UTCB_MR0], 101
    je 1f
    inc dword ptr [recorded]
1:  mov esi, esp                            # the cure
    mov edi, ebx
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    add esp, 8 * UTCB_MR_COUNT
    ret

.bss
recorded:   .space 4
