# Case 11, cured: the text is written in pieces that fit; the story is in buggy.s.

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
    mov rdx, rbp
    cmp rdx, ROOM
    jbe 1f
    mov edx, ROOM
1:  sub rbp, rdx                            # the cure: what is left comes next
    mov qword ptr [rbx + UTCB_MR0], OP_WRITE
    mov qword ptr [rbx + UTCB_MR1], rdx
    call put_text
    lea rax, [rdx + 3 * UTCB_WORD - 1]      # bytes of text in words, and two before it
    xor edx, edx
    mov ecx, UTCB_WORD
    div rcx
    or eax, PROTO_SERVER << L4_TAG_LABEL_SHIFT
    l4_invoke SERVER|L4_CALL, rax, L4_TIMEOUT_NEVER
    test ebp, ebp
    jnz write_text
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
