# The receiver of fpu_transfer: accepts FPU state with the first message and the third.
#
# What arrives in xmm0 is the sender's 42 if the sender asked for it, the receiver accepts
# it, and the capability has the right for it; otherwise it is the receiver's own 7.

.include "l4.inc"

# Reply to the last message, and keep what the next one brings in xmm0.
.macro take where, accept, receive
    mov eax, 7
    movd xmm0, eax
    mov qword ptr [rbx + UTCB_BDR], \accept
    \receive
    movd eax, xmm0
    mov dword ptr [rip + \where], eax
.endm

.macro report where, text
    mov ebp, dword ptr [rip + \where]
    log_number rbp
    log \text
.endm

.macro first_wait
    l4_open_wait
.endm

.macro next_wait
    l4_answer_and_wait 0
.endm

.text
_start:
    own_utcb rbx
    take asked, L4_BDR_ACCEPT_FPU, first_wait
    take unasked, 0, next_wait
    take weak, L4_BDR_ACCEPT_FPU, next_wait
    log register
    report asked, accepted
    report unasked, not_accepted
    report weak, no_right
    sleep_forever

.include "log.inc"

.rodata
register:       .asciz "receiver: xmm0 is "
accepted:       .asciz " if it accepts it, "
not_accepted:   .asciz " if not, "
no_right:       .asciz " without the right S\n"

.bss
asked:      .space 8
unasked:    .space 8
weak:       .space 8
