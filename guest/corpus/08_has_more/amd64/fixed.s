# Case 8, cured: words are compared with words; the story is in buggy.s.

.include "corpus.inc"

AT_MOST     = 4                             # numbers in a message, says the protocol

.text
_start:
    server_loop sum

# Add up the numbers of a message.
sum:
    and eax, L4_TAG_WORDS
    mov rdi, rax
    xor eax, eax
    xor esi, esi
1:  call has_more
    jae 2f
    add rax, qword ptr [rbx + rsi*8 + UTCB_MR0]
    inc rsi
    jmp 1b
2:  mov qword ptr [rbx + UTCB_MR0], rax
    mov eax, 1
    ret

# Tell in the carry flag whether there are words behind word rsi of rdi.
has_more:
    mov rcx, rdi                            # the cure
    cmp rcx, AT_MOST
    jbe 1f
    mov ecx, AT_MOST
1:  cmp rsi, rcx
    ret
