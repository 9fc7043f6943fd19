# The notifier of the receive_window scenarios: it hears of every capability.

.include "l4.inc"

.text
_start:
    own_utcb rbx
    l4_open_wait
1:  mov rax, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + events], rax
    l4_answer_and_wait 0
    jmp 1b

.bss
events:     .space 8
