# Case 6, cured: the limit is right, and what was stored is counted; the story is in buggy.s.

.include "corpus.inc"
.include "console.inc"

ROOM        = (UTCB_MR_COUNT - 1) * UTCB_WORD               # the cure

.text
_start:
    server_loop dispatch

dispatch:
    own_utcb rbx                            # as library code does all the time
    cmp qword ptr [rbx + UTCB_MR0], OP_READ
    je read_text
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 1f
    mov rcx, qword ptr [rbx + UTCB_MR1]
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret
1:  mov rax, NO_SYS
    ret

# Answer with mr[1] bytes of text, or as many as there is room for.
read_text:
    mov rdx, qword ptr [rbx + UTCB_MR1]
    cmp rdx, ROOM
    jbe 1f
    mov edx, ROOM
1:  mov qword ptr [rbx + UTCB_MR0], rdx
    xor ecx, ecx
2:  cmp rcx, rdx
    je 3f
    mov byte ptr [rbx + rcx + UTCB_MR1], 'x'
    inc rcx
    jmp 2b
3:  mov eax, UTCB_MR_COUNT
    ret
