# The console of case 11: it keeps the text that it gets, and knows what it should be.

.include "corpus.inc"
.include "console.inc"

.text
_start:
    server_loop keep_text

# Keep the text of a message, which says itself how long it is.
keep_text:
    mov edx, dword ptr [ebx + UTCB_MR1]
    mov edi, dword ptr [kept]
    lea esi, [text]
    add esi, edi
    xor ecx, ecx
1:  cmp ecx, edx
    je 3f
    mov al, byte ptr [ebx + ecx + UTCB_MR2] # behind the message, if the length is wrong
    mov byte ptr [esi + ecx], al
    cmp al, 'x'
    je 2f
    inc dword ptr [strange]
2:  inc ecx
    jmp 1b
3:  add edi, edx
    mov dword ptr [kept], edi
    log has
    mov eax, dword ptr [strange]
    log_number eax
    log bytes
    xor eax, eax
    ret

.include "log.inc"

.rodata
has:        .asciz "console: "
bytes:      .asciz " bytes that nobody wrote\n"

.bss
kept:       .space 4
strange:    .space 4
text:       .space 1024
