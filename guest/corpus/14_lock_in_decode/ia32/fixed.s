# Case 14, cured: the message is decoded before the lock is taken; the story is in buggy.s.

.include "corpus.inc"

SEMAPHORE   = 0x22 << L4_CAP_SHIFT
DOWN        = L4_PROTO_SEMAPHORE << L4_TAG_LABEL_SHIFT | 1
UP          = L4_PROTO_IRQ << L4_TAG_LABEL_SHIFT

.text
_start:
    server_loop dispatch

dispatch:
    mov ebp, dword ptr [ebx + UTCB_MR0]     # the cure
    call lock
    inc dword ptr [served]
    call unlock
    add ebp, ebp
    mov dword ptr [ebx + UTCB_MR0], ebp
    mov eax, 1
    ret

lock:
    mov eax, 1
    xchg dword ptr [locked], eax
    test eax, eax
    jz 1f
    mov dword ptr [ebx + UTCB_MR0], L4_SEMAPHORE_DOWN
    l4_invoke SEMAPHORE|L4_CALL, DOWN, L4_TIMEOUT_NEVER
1:  ret

unlock:
    mov dword ptr [locked], 0
    ret

# Another thread of this task, which holds the lock, and gives it away once it runs.
holder:
    l4_invoke SEMAPHORE|L4_SEND, UP, L4_TIMEOUT_NEVER
    sleep_forever

.data
locked:     .long 1
            .long 0

.bss
served:     .space 4
