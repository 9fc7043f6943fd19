# The client of pingpong: `rounds` calls of four words each, every reply checked.
#
# The server adds one to mr[0] and leaves the other words alone, and the reply is the next
# request: after round n mr[0] must be n.  No check branches: what is wrong piles up in
# `differences`, and a round trip is two basic blocks here.

.include "l4.inc"

SERVER      = 0x20 << L4_CAP_SHIFT

FOUR_WORDS  = 4                                             # label 0, mr[0..3]

.text
_start:
    own_utcb rbx
    mov r12, qword ptr [rip + rounds]
    xor r13d, r13d                          # rounds done
    xor r14d, r14d                          # differences
    mov qword ptr [rbx + UTCB_MR0], 0
    mov qword ptr [rbx + UTCB_MR1], 0x1111
    mov qword ptr [rbx + UTCB_MR2], 0x2222
    mov qword ptr [rbx + UTCB_MR3], 0x3333
1:  l4_invoke SERVER|L4_CALL, FOUR_WORDS, L4_TIMEOUT_NEVER
    inc r13
    and eax, L4_TAG_ERROR
    or r14, rax
    mov rax, qword ptr [rbx + UTCB_MR0]
    sub rax, r13
    or r14, rax
    cmp r13, r12
    jne 1b

    # A word that went wrong once has stayed wrong.
    mov rax, qword ptr [rbx + UTCB_MR1]
    sub rax, 0x1111
    or r14, rax
    mov rax, qword ptr [rbx + UTCB_MR2]
    sub rax, 0x2222
    or r14, rax
    mov rax, qword ptr [rbx + UTCB_MR3]
    sub rax, 0x3333
    or r14, rax
    mov qword ptr [rip + differences], r14
    log client
    log_number r13
    test r14, r14
    jnz 2f
    log round_trips
    sleep_forever
2:  log wrong
    sleep_forever

.include "log.inc"

.rodata
client:         .asciz "client: "
round_trips:    .asciz " round trips\n"
wrong:          .asciz " round trips, with wrong replies\n"

.data
rounds:         .quad 1000

.bss
differences:    .space 8
