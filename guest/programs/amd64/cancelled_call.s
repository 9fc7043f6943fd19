# A client whose call is broken off by another thread of its task, with ex_regs.
#
# The call ends with error 7.  At the server the reply capability of that call is gone
# with it: what it replies, a moment later, reaches nobody, not the client's next call
# either.

.include "l4.inc"

SERVER      = 0x20 << L4_CAP_SHIFT
EX_REGS     = L4_PROTO_THREAD << L4_TAG_LABEL_SHIFT | 3     # mr[0..2]
PATIENCE    = 1000                                          # us; to receive

.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], 1
    l4_invoke SERVER|L4_CALL, 1, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_ERROR]   # before the next system call
    mov qword ptr [rip + error], rbp
    log broken_off
    log_number rbp
    log newline

    mov qword ptr [rbx + UTCB_MR0], 2
    l4_invoke SERVER|L4_CALL, 1, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + result], rbp
    log second
    log_number rbp
    log newline
    sleep_forever

# The thread that runs out of patience.
watchdog:
    own_utcb rbx
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, PATIENCE
    mov qword ptr [rbx + UTCB_MR0], L4_THREAD_EX_REGS | L4_EX_REGS_CANCEL
    mov qword ptr [rbx + UTCB_MR1], -1      # go on where it is,
    mov qword ptr [rbx + UTCB_MR2], -1      # on the stack it has
    l4_invoke L4_CAP_THREAD|L4_CALL, EX_REGS, L4_TIMEOUT_NEVER
    sleep_forever

.include "log.inc"

.rodata
broken_off: .asciz "client: the first call ended with error "
second:     .asciz "client: the second one brought "
newline:    .asciz "\n"

.bss
error:      .space 8
result:     .space 8
