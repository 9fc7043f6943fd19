# Case 14: a lock in the middle of decoding.
#
# What happened: Genode commit b2a8cfde85 (2016, #2044).  While a message was being decoded,
# the framework took a lock, wrote to its log and allocated capabilities.  A lock that is
# free costs an instruction; one that is not is a system call, with parameters of its own in
# the message registers.
#
# Pattern: hidden IPC.
# Guilty:  the load of mr[0] after the call of lock.  Another thread holds the lock, so lock
#          goes down a semaphore, whose opcode is 0: the client gets 0, not 84.
# Cure:    decode first: fixed.s.

.include "corpus.inc"

SEMAPHORE   = 0x22 << L4_CAP_SHIFT
DOWN        = L4_PROTO_SEMAPHORE << L4_TAG_LABEL_SHIFT | 1
UP          = L4_PROTO_IRQ << L4_TAG_LABEL_SHIFT

.text
_start:
    server_loop dispatch

dispatch:
    call lock
    mov rcx, qword ptr [rbx + UTCB_MR0]     # GUILTY: lock may have waited
    inc qword ptr [rip + served]
    call unlock
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret

lock:
    mov eax, 1
    xchg dword ptr [rip + locked], eax
    test eax, eax
    jz 1f
    mov qword ptr [rbx + UTCB_MR0], L4_SEMAPHORE_DOWN
    l4_invoke SEMAPHORE|L4_CALL, DOWN, L4_TIMEOUT_NEVER
1:  ret

unlock:
    mov dword ptr [rip + locked], 0
    ret

# Another thread of this task, which holds the lock, and gives it away once it runs.
holder:
    l4_invoke SEMAPHORE|L4_SEND, UP, L4_TIMEOUT_NEVER
    sleep_forever

.data
locked:     .long 1
            .long 0

.bss
served:     .space 8
