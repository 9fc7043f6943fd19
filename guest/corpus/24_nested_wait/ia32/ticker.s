# The ticker of case 24: it tells the server that something has happened, by a call.

.include "corpus.inc"

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    sleep_forever
