# The notifier of the receive_window scenarios: it hears of every capability.

.include "l4.inc"

.text
_start:
    l4_open_wait
1:  inc dword ptr [events]
    l4_answer_and_wait 0
    jmp 1b

.bss
events:     .space 4
