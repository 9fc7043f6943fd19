# Case 11: a write that is cut short in silence.
#
# What happened: uvmm commit 2e9cee0 (2017).  Vcon::write takes as much text as fits into the
# message registers; callers with more to say did not know, and the rest never came out.
# Here the length in the message is the caller's, while the text that goes with it is not.
#
# Pattern: truncation: what a message says of its size and the size of the message differ.
# Guilty:  write_text, which caps the words and not the length.  The console reads on behind
#          the message registers, and keeps 12 bytes that nobody has sent.
# Cure:    write in pieces: fixed.s.

.include "corpus.inc"
.include "console.inc"

ROOM        = (UTCB_MR_COUNT - 2) * UTCB_WORD

.text
_start:
    own_utcb rbx
    mov ebp, ROOM + 12
    call write_text
    sleep_forever

# Write rbp bytes of text.
write_text:
    mov qword ptr [rbx + UTCB_MR0], OP_WRITE
    mov qword ptr [rbx + UTCB_MR1], rbp     # GUILTY: that much does not go along
    mov rdx, rbp
    cmp rdx, ROOM
    jbe 1f
    mov edx, ROOM
1:  call put_text
    lea rax, [rdx + 3 * UTCB_WORD - 1]      # bytes of text in words, and two before it
    xor edx, edx
    mov ecx, UTCB_WORD
    div rcx
    or eax, PROTO_SERVER << L4_TAG_LABEL_SHIFT
    l4_invoke SERVER|L4_CALL, rax, L4_TIMEOUT_NEVER
    ret

# Put rdx bytes of text into the message registers.
put_text:
    xor ecx, ecx
1:  cmp rcx, rdx
    je 2f
    mov byte ptr [rbx + rcx + UTCB_MR2], 'x'
    inc rcx
    jmp 1b
2:  ret
