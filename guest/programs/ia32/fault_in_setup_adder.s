# The server of the fault_in_setup scenarios: adds five numbers.

.include "l4.inc"
.include "adder.inc"

.text
_start:
    own_utcb ebx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    xor edx, edx
    xor ecx, ecx
3:  add edx, dword ptr [ebx + ecx*4]
    inc ecx
    cmp ecx, NUMBERS
    jb 3b
    mov dword ptr [ebx + UTCB_MR0], edx
    l4_answer_and_wait 1
    jmp 2b
