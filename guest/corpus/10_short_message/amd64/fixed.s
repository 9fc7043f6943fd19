# Case 10, cured: the words are counted before any is used; the story is in buggy.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    and eax, L4_TAG_WORDS
    cmp eax, 2                              # the cure
    jb 3f
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 2f
    mov rcx, qword ptr [rbx + UTCB_MR1]
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret
2:  mov rax, NO_SYS
    ret
3:  mov rax, TOO_SHORT
    ret
