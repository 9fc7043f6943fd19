# Case 8: words compared with bytes.
#
# What happened: L4Re, l4re-core commit ad3cfa10b (2016).  A message stream's has_more()
# compared a position in one unit with a size in the other.  Here it takes the position in
# words and the size in bytes, so that a message seems to be as many times as long as a word
# has bytes.  What is read behind its end is what earlier messages have left there.
#
# Pattern: mixed units.
# Guilty:  the load in `sum`, which goes on behind the last word.  The sum of the one number
#          5 is 14: it goes with 2, 3 and 4 of the message before.
# Cure:    compare words with words: fixed.s.

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
    add rax, qword ptr [rbx + rsi*8 + UTCB_MR0]             # GUILTY, from word rdi on
    inc rsi
    jmp 1b
2:  mov qword ptr [rbx + UTCB_MR0], rax
    mov eax, 1
    ret

# Tell in the carry flag whether there are words behind word rsi of rdi.
has_more:
    lea rcx, [rdi*8]                        # the mistake: these are bytes
    cmp rcx, AT_MOST
    jbe 1f
    mov ecx, AT_MOST
1:  cmp rsi, rcx
    ret
