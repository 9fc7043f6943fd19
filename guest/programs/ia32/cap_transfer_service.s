# The service of cap_transfer: doubles a number.

.include "l4.inc"

.text
_start:
    own_utcb ebx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    mov eax, dword ptr [ebx + UTCB_MR0]
    add dword ptr [ebx + UTCB_MR0], eax
    mov dword ptr [label], esi    # the low bits: the rights of the capability used
    l4_answer_and_wait 1
    jmp 2b

.bss
label:      .space 4
