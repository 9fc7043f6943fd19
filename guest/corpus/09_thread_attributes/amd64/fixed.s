# Case 9, cured: nothing comes between set-up and control; the story is in buggy.s.

.include "corpus.inc"

WORKER      = 0x22 << L4_CAP_SHIFT
PAGER       = 0x23 << L4_CAP_SHIFT
CONTROL     = L4_PROTO_THREAD << L4_TAG_LABEL_SHIFT | 6

.text
_start:
    own_utcb rbx
    call set_up_worker
    call attr_begin                         # without settings: ask what they are
    call control
    mov rbp, qword ptr [rbx + UTCB_MR1]
    mov qword ptr [rip + pager], rbp
    log its_pager
    shr rbp, L4_CAP_SHIFT
    log_number rbp
    log newline
    sleep_forever

# Give the worker its pager.
set_up_worker:
    log working                             # the cure: first
    call attr_begin
    call attr_pager
    call control
    ret

# Begin settings: none.
attr_begin:
    mov qword ptr [rbx + UTCB_MR0], L4_THREAD_CONTROL
    mov qword ptr [rbx + UTCB_MR1], 0
    mov qword ptr [rbx + UTCB_MR2], 0
    mov qword ptr [rbx + UTCB_MR3], 0
    mov qword ptr [rbx + UTCB_MR4], 0
    mov qword ptr [rbx + UTCB_MR5], 0
    ret

# Add a setting: the pager.
attr_pager:
    or qword ptr [rbx + UTCB_MR0], L4_CONTROL_SET_PAGER
    mov qword ptr [rbx + UTCB_MR1], PAGER
    ret

# Apply the settings.
control:
    l4_invoke WORKER|L4_CALL, CONTROL, L4_TIMEOUT_NEVER
    ret

worker:
    sleep_forever

.include "log.inc"

.rodata
working:    .asciz "main: sets up the worker\n"
its_pager:  .asciz "main: the worker's pager is capability "
newline:    .asciz "\n"

.bss
pager:      .space 8
