# The device of case 7: it tells the server that samples are there, and what nobody else
# should know.

.include "corpus.inc"

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], 1
    mov dword ptr [ebx + UTCB_MR1], 4000
    mov dword ptr [ebx + UTCB_MR2], 711
    l4_invoke SERVER|L4_SEND, ASK_3, L4_TIMEOUT_NEVER
    sleep_forever
