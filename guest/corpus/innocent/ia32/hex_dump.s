# Innocent: a server prints all its message registers in hex, for whoever looks for a bug.
#
# It reads words that no message has brought, and prints while a request lies there.  But it
# has read what it needs, and what it read of the rest goes to the console only.

.include "corpus.inc"

WORDS       = 6                             # a few will do

.text
_start:
    server_loop dispatch

dispatch:
    mov ebp, dword ptr [ebx + UTCB_MR1]
    call dump
    add ebp, ebp
    mov dword ptr [ebx + UTCB_MR0], ebp
    mov eax, 1
    ret

# Print some of the message registers, from a copy since printing destroys them.
dump:
    push ebp
    sub esp, 8 * WORDS
    mov esi, ebx
    mov edi, esp
    mov ecx, WORDS
    rep movs dword ptr [edi], dword ptr [esi]
    xor ebp, ebp
1:  mov eax, dword ptr [esp + ebp*4]
    call to_hex
    log digits
    inc ebp
    cmp ebp, WORDS
    jne 1b
    log newline
    add esp, 8 * WORDS
    pop ebp
    ret

# Put the low four digits of eax into the text.
to_hex:
    lea edi, [digits]
    mov ecx, 4
1:  mov edx, eax
    and edx, 15
    cmp edx, 10
    jb 2f
    add edx, 'a' - '0' - 10
2:  add edx, '0'
    mov byte ptr [edi + ecx - 1], dl
    shr eax, 4
    dec ecx
    jnz 1b
    ret

.include "log.inc"

.rodata
newline:    .asciz "\n"

.data
digits:     .asciz "0000 "
