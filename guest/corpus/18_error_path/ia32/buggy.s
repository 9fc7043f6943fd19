# Case 18: buffers for the next message are not put back when something goes wrong.
#
# What happened: libctru#241 (2016), on the 3DS, whose kernel is of this family.  A thread
# tells in its buffers where received data is to go.  A function that needs other buffers
# for a call of its own saved the caller's, and put them back; but not when the call failed.
#
# Pattern: save without restore, of buffer registers.
# Guilty:  the early return of look_up.  The capability that the client gives arrives where
#          look_up wanted one, the server's own slot stays empty, and its call fails: -4.
# Cure:    put them back on every way: fixed.s.

.include "corpus.inc"

GIVEN       = 0x40 << L4_CAP_SHIFT          # where the client's capability is to go
FOUND       = 0x41 << L4_CAP_SHIFT          # where look_up wants one
SMALL       = 0xa                           # a buffer for a single capability (ABI 4.9)

.text
_start:
    own_utcb ebx
    call serve_giver
    mov dword ptr [result], eax
    mov ebp, eax
    log got
    log_number ebp
    log newline
    sleep_forever

# Take a capability from a client and have 42 doubled with it.
serve_giver:
    mov dword ptr [ebx + UTCB_BDR], 0
    mov dword ptr [ebx + UTCB_BR0], GIVEN | SMALL
    mov dword ptr [ebx + UTCB_BR1], 0
    call look_up
    l4_open_wait
    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    mov dword ptr [ebx + UTCB_MR1], 42
    l4_invoke GIVEN|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    test eax, L4_TAG_ERROR
    jnz 1f
    mov eax, dword ptr [ebx + UTCB_MR0]
    ret
1:  mov eax, dword ptr [ebx + UTCB_ERROR]
    neg eax
    ret

# Look up a name, for a capability that would go to FOUND.
look_up:
    mov ebp, dword ptr [ebx + UTCB_BR0]
    mov dword ptr [ebx + UTCB_BR0], FOUND | SMALL
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    l4_invoke OTHER|L4_CALL, TELL_1, L4_TIMEOUT_NEVER
    sar eax, L4_TAG_LABEL_SHIFT
    js 1f                                   # GUILTY: there is no such name
    mov dword ptr [ebx + UTCB_BR0], ebp
1:  ret

.include "log.inc"

.rodata
got:        .asciz "server: twice 42 is, says who was given: "
newline:    .asciz "\n"

.bss
result:     .space 4
