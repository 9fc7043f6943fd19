# Case 8, cured: words are compared with words; the story is in buggy.s.

.include "corpus.inc"

AT_MOST     = 4                             # numbers in a message, says the protocol

.text
_start:
    server_loop sum

# Add up the numbers of a message.
sum:
    and eax, L4_TAG_WORDS
    mov edi, eax
    xor eax, eax
    xor esi, esi
1:  call has_more
    jae 2f
    add eax, dword ptr [ebx + esi*4 + UTCB_MR0]
    inc esi
    jmp 1b
2:  mov dword ptr [ebx + UTCB_MR0], eax
    mov eax, 1
    ret

# Tell in the carry flag whether there are words behind word esi of edi.
has_more:
    mov ecx, edi                            # the cure
    cmp ecx, AT_MOST
    jbe 1f
    mov ecx, AT_MOST
1:  cmp esi, ecx
    ret
