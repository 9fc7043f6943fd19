# The console of case 11: it keeps the text that it gets, and knows what it should be.

.include "corpus.inc"
.include "console.inc"

.text
_start:
    server_loop keep_text

# Keep the text of a message, which says itself how long it is.
keep_text:
    mov rdx, qword ptr [rbx + UTCB_MR1]
    mov rdi, qword ptr [rip + kept]
    lea rsi, [rip + text]
    add rsi, rdi
    xor ecx, ecx
1:  cmp rcx, rdx
    je 3f
    mov al, byte ptr [rbx + rcx + UTCB_MR2] # behind the message, if the length is wrong
    mov byte ptr [rsi + rcx], al
    cmp al, 'x'
    je 2f
    inc qword ptr [rip + strange]
2:  inc rcx
    jmp 1b
3:  add rdi, rdx
    mov qword ptr [rip + kept], rdi
    log has
    mov rax, qword ptr [rip + strange]
    log_number rax
    log bytes
    xor eax, eax
    ret

.include "log.inc"

.rodata
has:        .asciz "console: "
bytes:      .asciz " bytes that nobody wrote\n"

.bss
kept:       .space 8
strange:    .space 8
text:       .space 1024
