# Two threads of one task, each with a UTCB of its own.
#
# The second is made at run time: the factory makes it, thread control binds it to this
# task and to the next UTCB of the area, the scheduler gives it a priority, ex_regs sends
# it off.  Both fill message registers and then talk to each other: a message changes as
# many words at the receiver as it counts, and none at anybody else.

.include "l4.inc"
.include "items.inc"

WORKER      = 0x40 << L4_CAP_SHIFT
PRIORITY    = 3                                             # above that of the first

MAKE        = L4_PROTO_FACTORY << L4_TAG_LABEL_SHIFT | 1
CONTROL     = L4_PROTO_THREAD << L4_TAG_LABEL_SHIFT | ONE_ITEM | 6
RUN_THREAD  = L4_PROTO_SCHEDULER << L4_TAG_LABEL_SHIFT | ONE_ITEM | 5
EX_REGS     = L4_PROTO_THREAD << L4_TAG_LABEL_SHIFT | 3

OUR_TASK    = L4_CAP_TASK | OBJECT | L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_S
THE_WORKER  = WORKER | OBJECT | L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_S

.text
_start:
    own_utcb rbx

    # A thread, into slot 0x40.
    mov qword ptr [rbx + UTCB_BDR], 0
    mov qword ptr [rbx + UTCB_BR0], WORKER | SMALL_BUFFER
    mov qword ptr [rbx + UTCB_BR1], 0
    mov qword ptr [rbx + UTCB_MR0], L4_PROTO_THREAD
    l4_invoke L4_CAP_FACTORY|L4_CALL, MAKE, L4_TIMEOUT_NEVER

    # Of this task, with the UTCB behind ours.
    lea rax, [rbx + UTCB_SIZE]
    mov qword ptr [rbx + UTCB_MR0], L4_THREAD_CONTROL | L4_CONTROL_BIND
    mov qword ptr [rbx + UTCB_MR5], rax
    mov qword ptr [rbx + UTCB_MR6], L4_ITEM_MAP
    mov qword ptr [rbx + UTCB_MR7], OUR_TASK
    l4_invoke WORKER|L4_CALL, CONTROL, L4_TIMEOUT_NEVER

    # On this CPU, there is no other.
    mov qword ptr [rbx + UTCB_MR0], L4_SCHEDULER_RUN_THREAD
    mov qword ptr [rbx + UTCB_MR1], 0
    mov qword ptr [rbx + UTCB_MR2], 1
    mov qword ptr [rbx + UTCB_MR3], PRIORITY
    mov qword ptr [rbx + UTCB_MR4], 0
    mov qword ptr [rbx + UTCB_MR5], L4_ITEM_MAP
    mov qword ptr [rbx + UTCB_MR6], THE_WORKER
    l4_invoke L4_CAP_SCHEDULER|L4_CALL, RUN_THREAD, L4_TIMEOUT_NEVER

    # It runs at once, and waits for us.
    mov qword ptr [rbx + UTCB_MR0], L4_THREAD_EX_REGS
    lea rax, [rip + worker]
    mov qword ptr [rbx + UTCB_MR1], rax
    lea rax, [rip + stack_top]
    mov qword ptr [rbx + UTCB_MR2], rax
    l4_invoke WORKER|L4_CALL, EX_REGS, L4_TIMEOUT_NEVER

    mov qword ptr [rbx + UTCB_MR0], 11
    mov qword ptr [rbx + UTCB_MR1], 12
    l4_invoke WORKER|L4_CALL, 2, L4_TIMEOUT_NEVER
    mov rax, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + main_0], rax
    mov rax, qword ptr [rbx + UTCB_MR1]
    mov qword ptr [rip + main_1], rax

    log worker_got
    mov rbp, qword ptr [rip + worker_0]
    log_number rbp
    log also
    mov rbp, qword ptr [rip + worker_1]
    log_number rbp
    log own_2
    mov rbp, qword ptr [rip + worker_2]
    log_number rbp
    log newline
    log main_got
    mov rbp, qword ptr [rip + main_0]
    log_number rbp
    log own_1
    mov rbp, qword ptr [rip + main_1]
    log_number rbp
    log newline
    sleep_forever

worker:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], 20
    mov qword ptr [rbx + UTCB_MR1], 21
    mov qword ptr [rbx + UTCB_MR2], 22
    l4_open_wait
    mov rax, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + worker_0], rax
    mov rax, qword ptr [rbx + UTCB_MR1]
    mov qword ptr [rip + worker_1], rax
    mov rax, qword ptr [rbx + UTCB_MR2]
    mov qword ptr [rip + worker_2], rax
    mov qword ptr [rbx + UTCB_MR0], 33
    l4_invoke NO_REPLY_SLOT|L4_REPLY, 1, L4_TIMEOUT_SEND_ZERO
    sleep_forever

.include "log.inc"

.rodata
worker_got: .asciz "worker: received "
main_got:   .asciz "main: received "
also:       .asciz " and "
own_1:      .asciz ", its own mr[1] is "
own_2:      .asciz ", its own mr[2] is "
newline:    .asciz "\n"

.bss
main_0:     .space 8
main_1:     .space 8
worker_0:   .space 8
worker_1:   .space 8
worker_2:   .space 8
.balign 16
            .space 0x1000
stack_top:  .space 16
