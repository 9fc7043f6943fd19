# Case 10, cured: the words are counted before any is used; the story is in buggy.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    and eax, L4_TAG_WORDS
    cmp eax, 2                              # the cure
    jb 3f
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 2f
    mov ecx, dword ptr [ebx + UTCB_MR1]
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret
2:  mov eax, NO_SYS
    ret
3:  mov eax, TOO_SHORT
    ret
