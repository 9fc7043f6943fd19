# Benchmark loop: arithmetic in registers, `rounds` times 9 instructions, then sleeps.

.include "l4.inc"

.text
_start:
    mov ecx, dword ptr [rounds]
1:  add eax, ebx
    xor edx, eax
    lea esi, [eax + edx*2]
    shl edi, 1
    sub ebx, esi
    imul edx, edx, 7
    add edi, edx
    dec ecx
    jnz 1b
done:
    sleep_forever

.data
rounds:     .long 100000
