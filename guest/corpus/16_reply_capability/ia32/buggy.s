# Case 16: the reply capability is put away before the message is read.
#
# What happened: CAmkES commit 44cf1ff (2016, CAMKES-438).  A server that answers later must
# keep the reply capability, by an invocation of the kernel.  The generated code did that
# first thing, and then read the parameters.  But an invocation has parameters of its own.
# L4Re gives such servers explicit reply slots and needs no invocation; what is asked of
# the kernel here is whether a slot for the capability is free.
#
# Pattern: hidden system call.
# Guilty:  the load of mr[1] after the call of save_reply.  The client gets twice the
#          selector that the kernel was asked about: 139264, not 84.
# Cure:    read first: fixed.s.

.include "corpus.inc"

OWN_TASK    = L4_CAP_TASK
SLOT        = 0x11 << L4_CAP_SHIFT
IS_VALID    = L4_PROTO_TASK << L4_TAG_LABEL_SHIFT | 2

.text
_start:
    server_loop dispatch

dispatch:
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 1f
    call save_reply
    mov ecx, dword ptr [ebx + UTCB_MR1]     # GUILTY: this is SLOT
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret
1:  mov eax, NO_SYS
    ret

# Find out whether the slot for the reply capability is free.
save_reply:
    mov dword ptr [ebx + UTCB_MR0], L4_TASK_CAP_INFO
    mov dword ptr [ebx + UTCB_MR1], SLOT
    l4_invoke OWN_TASK|L4_CALL, IS_VALID, L4_TIMEOUT_NEVER
    sar eax, L4_TAG_LABEL_SHIFT
    mov dword ptr [taken], eax
    ret

.bss
taken:      .space 4
