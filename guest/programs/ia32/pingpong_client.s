# The client of pingpong: `rounds` calls of four words each, every reply checked.
#
# The server adds one to mr[0] and leaves the other words alone, and the reply is the next
# request: after round n mr[0] must be n.  No check branches: what is wrong piles up in
# `differences`, and a round trip is two basic blocks here, besides the call page's.

.include "l4.inc"

SERVER      = 0x20 << L4_CAP_SHIFT

FOUR_WORDS  = 4                                             # label 0, mr[0..3]

.text
_start:
    own_utcb ebx
    xor ebp, ebp                            # rounds done
    mov dword ptr [ebx + UTCB_MR0], 0
    mov dword ptr [ebx + UTCB_MR1], 0x1111
    mov dword ptr [ebx + UTCB_MR2], 0x2222
    mov dword ptr [ebx + UTCB_MR3], 0x3333
1:  l4_invoke SERVER|L4_CALL, FOUR_WORDS, L4_TIMEOUT_NEVER
    inc ebp
    and eax, L4_TAG_ERROR
    mov ecx, dword ptr [ebx + UTCB_MR0]
    sub ecx, ebp
    or eax, ecx
    or dword ptr [differences], eax
    cmp ebp, dword ptr [rounds]
    jne 1b

    # A word that went wrong once has stayed wrong.
    mov eax, dword ptr [ebx + UTCB_MR1]
    sub eax, 0x1111
    mov ecx, dword ptr [ebx + UTCB_MR2]
    sub ecx, 0x2222
    or eax, ecx
    mov ecx, dword ptr [ebx + UTCB_MR3]
    sub ecx, 0x3333
    or eax, ecx
    or dword ptr [differences], eax
    log client
    log_number ebp
    mov eax, dword ptr [differences]
    test eax, eax
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
rounds:         .long 1000

.bss
differences:    .space 4
