# Benchmark loop: `rep movsb` of 512 bytes, `rounds` times 6 instructions, then sleeps.

.include "l4.inc"

.text
_start:
    mov ebp, dword ptr [rounds]
1:  lea esi, [from]
    lea edi, [to]
    mov ecx, 512
    rep movsb
    dec ebp
    jnz 1b
done:
    sleep_forever

.data
rounds:     .long 1000

.bss
from:       .space 512
to:         .space 512
