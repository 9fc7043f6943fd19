# Benchmark loop: calls and returns, `rounds` times 9 instructions, then sleeps.

.include "l4.inc"

.text
_start:
    mov rcx, qword ptr [rip + rounds]
1:  call add_one
    add rbx, rax
    call add_one
    dec rcx
    jnz 1b
done:
    sleep_forever

add_one:
    add rax, 1
    ret

.data
rounds:     .quad 100000
