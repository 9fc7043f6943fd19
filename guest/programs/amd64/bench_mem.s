# Benchmark loop: loads and stores, `rounds` times 7 instructions, then sleeps.

.include "l4.inc"

.text
_start:
    mov rcx, qword ptr [rip + rounds]
    lea rbx, [rip + words]
1:  mov rax, qword ptr [rbx]
    add rax, qword ptr [rbx + 8]
    mov qword ptr [rbx + 16], rax
    mov rdx, qword ptr [rbx + 64]
    add qword ptr [rbx + 128], rdx
    dec rcx
    jnz 1b
done:
    sleep_forever

.data
rounds:     .quad 100000

.bss
words:      .space 256
