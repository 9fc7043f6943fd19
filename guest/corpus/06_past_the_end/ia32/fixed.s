# Case 6, cured: the limit is right, and what was stored is counted; the story is in buggy.s.

.include "corpus.inc"
.include "console.inc"

ROOM        = (UTCB_MR_COUNT - 1) * UTCB_WORD               # the cure

.text
_start:
    server_loop dispatch

dispatch:
    own_utcb ebx                            # as library code does all the time
    cmp dword ptr [ebx + UTCB_MR0], OP_READ
    je read_text
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 1f
    mov ecx, dword ptr [ebx + UTCB_MR1]
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret
1:  mov eax, NO_SYS
    ret

# Answer with mr[1] bytes of text, or as many as there is room for.
read_text:
    mov edx, dword ptr [ebx + UTCB_MR1]
    cmp edx, ROOM
    jbe 1f
    mov edx, ROOM
1:  mov dword ptr [ebx + UTCB_MR0], edx
    xor ecx, ecx
2:  cmp ecx, edx
    je 3f
    mov byte ptr [ebx + ecx + UTCB_MR1], 'x'
    inc ecx
    jmp 2b
3:  mov eax, UTCB_MR_COUNT
    ret
