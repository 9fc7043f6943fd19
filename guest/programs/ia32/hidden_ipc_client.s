# The client of hidden_ipc: it has three numbers kept and looks at what the archive keeps.

.include "l4.inc"
.include "hidden_ipc.inc"

ARCHIVE     = 0x20 << L4_CAP_SHIFT

REQUEST     = PROTO_ARCHIVE << L4_TAG_LABEL_SHIFT | 2       # mr[0], mr[1]

.text
_start:
    own_utcb ebx
1:  mov eax, dword ptr [number]
    mov dword ptr [ebx + UTCB_MR0], OP_KEEP
    mov dword ptr [ebx + UTCB_MR1], eax
    l4_invoke ARCHIVE|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov esi, dword ptr [ebx + UTCB_MR0]     # before anything is printed
    log sent
    mov eax, dword ptr [number]
    log_number eax
    log kept
    log_number esi
    log newline
    inc dword ptr [number]
    mov eax, dword ptr [number]
    cmp eax, 43
    jbe 1b
    sleep_forever

.include "log.inc"

.rodata
sent:       .asciz "client: sent "
kept:       .asciz ", the archive keeps "
newline:    .asciz "\n"

.data
number:     .long 41
