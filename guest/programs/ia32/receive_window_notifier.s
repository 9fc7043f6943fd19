# The notifier of the receive_window scenarios: it hears of every capability.

.include "l4.inc"

.text
_start:
    own_utcb ebx
    l4_open_wait
1:  mov eax, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [events], eax
    l4_answer_and_wait 0
    jmp 1b

.bss
events:     .space 4
