# Case 6, first half: one byte too much, into the word behind the message registers.
#
# What happened: L4Re, l4re-core commit 73d6a2283 (2025, CD-1649), found by way of uvmm#4.
# A console server copied the text that it had been asked for into the message registers
# behind the count, and its limit was wrong by one byte.  That byte went into word 63 of
# the UTCB.  There lies the UTCB's own address, which gs:0 (fs:0 on ia32) reads: from then
# on the server looked for its message registers somewhere else.
#
# Pattern: off by one past the message registers.
# Guilty:  the store of the last byte.  The next request is not understood: -38, not 84.
# Cure:    the right limit: fixed.s.  The second half of the case is wrapped.s.

.include "corpus.inc"
.include "console.inc"

ROOM        = (UTCB_MR_COUNT - 1) * UTCB_WORD + 1           # GUILTY: one byte too many

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
