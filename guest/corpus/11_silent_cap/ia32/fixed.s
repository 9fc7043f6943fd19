# Case 11, cured: the text is written in pieces that fit; the story is in buggy.s.

.include "corpus.inc"
.include "console.inc"

ROOM        = (UTCB_MR_COUNT - 2) * UTCB_WORD

.text
_start:
    own_utcb ebx
    mov ebp, ROOM + 12
    call write_text
    sleep_forever

# Write ebp bytes of text.
write_text:
    mov edx, ebp
    cmp edx, ROOM
    jbe 1f
    mov edx, ROOM
1:  sub ebp, edx                            # the cure: what is left comes next
    mov dword ptr [ebx + UTCB_MR0], OP_WRITE
    mov dword ptr [ebx + UTCB_MR1], edx
    call put_text
    lea eax, [edx + 3 * UTCB_WORD - 1]      # bytes of text in words, and two before it
    xor edx, edx
    mov ecx, UTCB_WORD
    div ecx
    or eax, PROTO_SERVER << L4_TAG_LABEL_SHIFT
    l4_invoke SERVER|L4_CALL, eax, L4_TIMEOUT_NEVER
    test ebp, ebp
    jnz write_text
    ret

# Put edx bytes of text into the message registers.
put_text:
    xor ecx, ecx
1:  cmp ecx, edx
    je 2f
    mov byte ptr [ebx + ecx + UTCB_MR2], 'x'
    inc ecx
    jmp 1b
2:  ret
