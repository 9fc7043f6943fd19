# The client of hidden_ipc: it has three numbers kept and looks at what the archive keeps.

.include "l4.inc"
.include "hidden_ipc.inc"

ARCHIVE     = 0x20 << L4_CAP_SHIFT

REQUEST     = PROTO_ARCHIVE << L4_TAG_LABEL_SHIFT | 2       # mr[0], mr[1]

.text
_start:
    own_utcb rbx
1:  mov rax, qword ptr [rip + number]
    mov qword ptr [rbx + UTCB_MR0], OP_KEEP
    mov qword ptr [rbx + UTCB_MR1], rax
    l4_invoke ARCHIVE|L4_CALL, REQUEST, L4_TIMEOUT_NEVER
    mov r12, qword ptr [rbx + UTCB_MR0]     # before anything is printed
    log sent
    mov rax, qword ptr [rip + number]
    log_number rax
    log kept
    log_number r12
    log newline
    inc qword ptr [rip + number]
    mov rax, qword ptr [rip + number]
    cmp rax, 43
    jbe 1b
    sleep_forever

.include "log.inc"

.rodata
sent:       .asciz "client: sent "
kept:       .asciz ", the archive keeps "
newline:    .asciz "\n"

.data
number:     .quad 41
