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
    mov edi, eax
    xor eax, eax
    xor esi, esi
1:  call has_more
    jae 2f
    add eax, dword ptr [ebx + esi*4 + UTCB_MR0]             # GUILTY, from word edi on
    inc esi
    jmp 1b
2:  mov dword ptr [ebx + UTCB_MR0], eax
    mov eax, 1
    ret

# Tell in the carry flag whether there are words behind word esi of edi.
has_more:
    lea ecx, [edi*4]                        # the mistake: these are bytes
    cmp ecx, AT_MOST
    jbe 1f
    mov ecx, AT_MOST
1:  cmp esi, ecx
    ret
