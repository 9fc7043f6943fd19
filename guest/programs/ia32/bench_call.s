# Benchmark loop: calls and returns, `rounds` times 9 instructions, then sleeps.

.include "l4.inc"

.text
_start:
    mov ecx, dword ptr [rounds]
1:  call add_one
    add ebx, eax
    call add_one
    dec ecx
    jnz 1b
done:
    sleep_forever

add_one:
    add eax, 1
    ret

.data
rounds:     .long 100000
