# Innocent: a client's function puts a request together and does the call, and the client
# reads the answer when it has returned.
#
# The very shape of case 1, but for one thing: no message is waiting to be read, so there is
# none that the answer could have destroyed.

.include "corpus.inc"

.text
_start:
    own_utcb rbx
    mov edx, 42
    call ask
    mov rbp, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + result], rbp
    log got
    log_number rbp
    log newline
    sleep_forever

# Ask for twice of rdx.
ask:
    mov qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    mov qword ptr [rbx + UTCB_MR1], rdx
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    ret

.include "log.inc"

.rodata
got:        .asciz "client: twice 42 is "
newline:    .asciz "\n"

.bss
result:     .space 8
