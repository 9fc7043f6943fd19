# Benchmark loop: 200 bytes copied one by one, `rounds` times 1205 instructions, then sleeps.

.include "l4.inc"

.text
_start:
    mov r8, qword ptr [rip + rounds]
1:  lea rsi, [rip + from]
    lea rdi, [rip + to]
    mov ecx, 200
2:  mov al, byte ptr [rsi]
    mov byte ptr [rdi], al
    inc rsi
    inc rdi
    dec rcx
    jnz 2b
    dec r8
    jnz 1b
done:
    sleep_forever

.data
rounds:     .quad 1000

.bss
from:       .space 256
to:         .space 256
