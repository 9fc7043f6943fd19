# The other end of pingpong_forever: it replies with as many words as the request had.

.include "l4.inc"

.text
_start:
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
3:  and eax, L4_TAG_WORDS
    l4_answer_and_wait eax
    test eax, L4_TAG_ERROR
    jz 3b
    jmp 1b
