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
    mov rbp, qword ptr [rbx + UTCB_MR1]
    call dump
    add rbp, rbp
    mov qword ptr [rbx + UTCB_MR0], rbp
    mov eax, 1
    ret

# Print some of the message registers, from a copy since printing destroys them.
dump:
    push rbp
    sub rsp, 8 * WORDS
    mov rsi, rbx
    mov rdi, rsp
    mov ecx, WORDS
    rep movsq
    xor ebp, ebp
1:  mov rax, qword ptr [rsp + rbp*8]
    call to_hex
    log digits
    inc rbp
    cmp rbp, WORDS
    jne 1b
    log newline
    add rsp, 8 * WORDS
    pop rbp
    ret

# Put the low four digits of rax into the text.
to_hex:
    lea rdi, [rip + digits]
    mov ecx, 4
1:  mov edx, eax
    and edx, 15
    cmp edx, 10
    jb 2f
    add edx, 'a' - '0' - 10
2:  add edx, '0'
    mov byte ptr [rdi + rcx - 1], dl
    shr eax, 4
    dec ecx
    jnz 1b
    ret

.include "log.inc"

.rodata
newline:    .asciz "\n"

.data
digits:     .asciz "0000 "
