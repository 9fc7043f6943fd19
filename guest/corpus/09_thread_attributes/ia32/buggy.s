# Case 9: a request is put together over several calls, and one of them does IPC.
#
# What happened: L4Re, l4re-core commit a2bc151f0 (2020) adds a warning to the
# documentation of Thread::Attr.  An object of this class looks like a record of settings,
# but its methods write into the message registers at once; control() then sends them.  In
# between nothing may be called that does IPC.  Printing does.
#
# Pattern: a request set up in the UTCB, interrupted.
# Guilty:  the print between the set-up and control.  The kernel reads the text's length where
#          the pager should be, and no flags: nothing is set, and no error comes back.
# Cure:    print first: fixed.s.

.include "corpus.inc"

WORKER      = 0x22 << L4_CAP_SHIFT
PAGER       = 0x23 << L4_CAP_SHIFT
CONTROL     = L4_PROTO_THREAD << L4_TAG_LABEL_SHIFT | 6

.text
_start:
    own_utcb ebx
    call set_up_worker
    call attr_begin                         # without settings: ask what they are
    call control
    mov ebp, dword ptr [ebx + UTCB_MR1]
    mov dword ptr [pager], ebp
    log its_pager
    shr ebp, L4_CAP_SHIFT
    log_number ebp
    log newline
    sleep_forever

# Give the worker its pager.
set_up_worker:
    call attr_begin
    call attr_pager
    log working                             # GUILTY: the settings lie in the UTCB
    call control
    ret

# Begin settings: none.
attr_begin:
    mov dword ptr [ebx + UTCB_MR0], L4_THREAD_CONTROL
    mov dword ptr [ebx + UTCB_MR1], 0
    mov dword ptr [ebx + UTCB_MR2], 0
    mov dword ptr [ebx + UTCB_MR3], 0
    mov dword ptr [ebx + UTCB_MR4], 0
    mov dword ptr [ebx + UTCB_MR5], 0
    ret

# Add a setting: the pager.
attr_pager:
    or dword ptr [ebx + UTCB_MR0], L4_CONTROL_SET_PAGER
    mov dword ptr [ebx + UTCB_MR1], PAGER
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
pager:      .space 4
