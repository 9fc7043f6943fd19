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
    lea eax, [edx + 2 * UTCB_WORD - 1]      # bytes of text in words, and the count
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
3:  xor edx, edx
    mov ecx, UTCB_WORD
    div ecx
    and eax, L4_TAG_WORDS                   # GUILTY: 64 becomes 0
    ret
