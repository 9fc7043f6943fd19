# Innocent: a client's function puts a request together and does the call, and the client
# reads the answer when it has returned.
#
# The very shape of case 1, but for one thing: no message is waiting to be read, so there is
# none that the answer could have destroyed.

.include "corpus.inc"

.text
_start:
    own_utcb ebx
    mov edx, 42
    call ask
    mov ebp, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [result], ebp
    log got
    log_number ebp
    log newline
    sleep_forever

# Ask for twice of edx.
ask:
    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    mov dword ptr [ebx + UTCB_MR1], edx
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    ret

.include "log.inc"

.rodata
got:        .asciz "client: twice 42 is "
newline:    .asciz "\n"

.bss
result:     .space 4
