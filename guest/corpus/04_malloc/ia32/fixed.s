# Case 4, cured as L4Re did it: what asks for memory saves all message registers and restores
# them; the story is in buggy.s.  dispatch is as it was, and right.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 1f
    call malloc
    mov ecx, dword ptr [ebx + UTCB_MR1]     # innocent: restored
    mov dword ptr [eax], ecx
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret
1:  mov eax, NO_SYS
    ret

# Give the address of a free cell in eax.
malloc:
    cmp dword ptr [stock], 0
    jne 1f
    call mmap
1:  dec dword ptr [stock]
    mov ecx, dword ptr [stock]
    lea eax, [cells]
    lea eax, [eax + ecx*4]
    ret

# Ask for memory for more cells.
mmap:
    sub esp, 8 * UTCB_MR_COUNT
    mov esi, ebx                            # the cure: save ...
    mov edi, esp
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 16
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    mov dword ptr [stock], 16
    mov esi, esp                            # ... and restore
    mov edi, ebx
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    add esp, 8 * UTCB_MR_COUNT
    ret

.bss
stock:      .space 4
cells:      .space 4 * 16
