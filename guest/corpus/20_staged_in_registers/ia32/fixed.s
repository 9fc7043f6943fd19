# Case 20, cured: the request is staged after the last call; the story is in buggy.s.

.include "corpus.inc"

.text
_start:
    own_utcb ebx
    call ask
    mov ebp, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [result], ebp
    log got
    log_number ebp
    log newline
    sleep_forever

# Ask for twice of 42.
ask:
    call checksum                           # the cure: first
    mov esi, OP_DOUBLE
    mov edi, 42
    mov dword ptr [ebx + UTCB_MR0], esi
    mov dword ptr [ebx + UTCB_MR1], edi
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    ret

# Some computation, as compilers make it: with the registers that belong to nobody.
checksum:
    mov edi, 990
    add edi, 9
    mov eax, edi
    ret

.include "log.inc"

.rodata
got:        .asciz "client: twice 42 is "
newline:    .asciz "\n"

.bss
result:     .space 4
