# Benchmark loop: loads and stores, `rounds` times 7 instructions, then sleeps.

.include "l4.inc"

.text
_start:
    mov ecx, dword ptr [rounds]
    lea ebx, [words]
1:  mov eax, dword ptr [ebx]
    add eax, dword ptr [ebx + 4]
    mov dword ptr [ebx + 8], eax
    mov edx, dword ptr [ebx + 32]
    add dword ptr [ebx + 64], edx
    dec ecx
    jnz 1b
done:
    sleep_forever

.data
rounds:     .long 100000

.bss
words:      .space 256
