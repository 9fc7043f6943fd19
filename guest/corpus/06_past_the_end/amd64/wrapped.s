# Case 6, second half: 64 words, of which a tag can say 0.
#
# The same server, uvmm commit 9c1ee63: it has the limit of the text right by now but counts
# the words of its reply from what it was asked for.  That makes 64.  The count has six
# bits, so it says 0, and the kernel copies nothing.  The client finds its own request where
# it looks for a reply, and believes that it has read one byte: that was its opcode.
#
# Pattern: a count of words that wraps.
# Guilty:  the server's count; and the client reads words that no reply has brought.
# Cure:    count what was stored: fixed.s.

.include "corpus.inc"
.include "console.inc"

ROOM        = (UTCB_MR_COUNT - 1) * UTCB_WORD

.text
_start:
    server_loop dispatch

dispatch:
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
    lea rax, [rdx + 2 * UTCB_WORD - 1]      # bytes of text in words, and the count
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
3:  xor edx, edx
    mov ecx, UTCB_WORD
    div rcx
    and eax, L4_TAG_WORDS                   # GUILTY: 64 becomes 0
    ret
