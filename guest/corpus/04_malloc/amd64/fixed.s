# Case 4, cured as L4Re did it: what asks for memory saves all message registers and restores
# them; the story is in buggy.s.  dispatch is as it was, and right.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 1f
    call malloc
    mov rcx, qword ptr [rbx + UTCB_MR1]     # innocent: restored
    mov qword ptr [rax], rcx
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret
1:  mov rax, NO_SYS
    ret

# Give the address of a free cell in rax.
malloc:
    cmp qword ptr [rip + stock], 0
    jne 1f
    call mmap
1:  dec qword ptr [rip + stock]
    mov rcx, qword ptr [rip + stock]
    lea rax, [rip + cells]
    lea rax, [rax + rcx*8]
    ret

# Ask for memory for more cells.
mmap:
    sub rsp, 8 * UTCB_MR_COUNT
    mov rsi, rbx                            # the cure: save ...
    mov rdi, rsp
    mov ecx, UTCB_MR_COUNT
    rep movsq
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 16
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    mov qword ptr [rip + stock], 16
    mov rsi, rsp                            # ... and restore
    mov rdi, rbx
    mov ecx, UTCB_MR_COUNT
    rep movsq
    add rsp, 8 * UTCB_MR_COUNT
    ret

.bss
stock:      .space 8
cells:      .space 8 * 16
