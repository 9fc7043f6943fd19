# The server of pingpong: it adds one to mr[0] of each request and sends it back.

.include "l4.inc"

FOUR_WORDS  = 4                                             # label 0, mr[0..3]

.text
_start:
    own_utcb ebx
1:  l4_open_wait
    jmp 3f
2:  l4_answer_and_wait FOUR_WORDS
3:  inc dword ptr [ebx + UTCB_MR0]
    test eax, L4_TAG_ERROR
    jz 2b
    jmp 1b
