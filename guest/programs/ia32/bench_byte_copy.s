# Benchmark loop: 200 bytes copied one by one, `rounds` times 1205 instructions, then sleeps.

.include "l4.inc"

.text
_start:
    mov ebp, dword ptr [rounds]
1:  lea esi, [from]
    lea edi, [to]
    mov ecx, 200
2:  mov al, byte ptr [esi]
    mov byte ptr [edi], al
    inc esi
    inc edi
    dec ecx
    jnz 2b
    dec ebp
    jnz 1b
done:
    sleep_forever

.data
rounds:     .long 1000

.bss
from:       .space 256
to:         .space 256
