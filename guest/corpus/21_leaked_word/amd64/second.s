# The second client of case 21: it asks how many requests there were, and prints the words of
# the reply, as many as it has.

.include "corpus.inc"

.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    l4_invoke SERVER|L4_CALL, ASK_1, L4_TIMEOUT_NEVER
    and eax, 63                             # words of the reply
    xor ebp, ebp
    cmp eax, 2
    jb 1f
    mov rbp, qword ptr [rbx + UTCB_MR1]
1:  mov qword ptr [rip + result], rbp
    log got
    log_number rbp
    log newline
    sleep_forever

.include "log.inc"

.rodata
got:        .asciz "second client: the word behind is "
newline:    .asciz "\n"

.bss
result:     .space 8
