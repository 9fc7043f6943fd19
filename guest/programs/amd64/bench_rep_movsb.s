# Benchmark loop: `rep movsb` of 512 bytes, `rounds` times 6 instructions, then sleeps.

.include "l4.inc"

.text
_start:
    mov r8, qword ptr [rip + rounds]
1:  lea rsi, [rip + from]
    lea rdi, [rip + to]
    mov ecx, 512
    rep movsb
    dec r8
    jnz 1b
done:
    sleep_forever

.data
rounds:     .quad 1000

.bss
from:       .space 512
to:         .space 512
