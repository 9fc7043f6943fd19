# The server of receive_window_lost.s, cured: it opens its window before every wait.

.include "l4.inc"
.include "items.inc"
.text
.include "receive_window.inc"

_start:
    own_utcb ebx
1:  open_window
    l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    call collect
    open_window
    l4_answer_and_wait 0
    jmp 2b

.bss
collected:  .space 4
