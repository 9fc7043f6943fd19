# Benchmark loop: arithmetic in registers, `rounds` times 9 instructions, then sleeps.

.include "l4.inc"

.text
_start:
    mov rcx, qword ptr [rip + rounds]
1:  add rax, rbx
    xor rdx, rax
    lea rsi, [rax + rdx*2]
    shl rdi, 1
    sub rbx, rsi
    imul rdx, rdx, 7
    add rdi, rdx
    dec rcx
    jnz 1b
done:
    sleep_forever

.data
rounds:     .quad 100000
