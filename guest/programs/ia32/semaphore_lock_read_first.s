# The cure of semaphore_lock.s: the parameter is read before the lock is taken.

.include "l4.inc"
.include "semaphore_lock.inc"

.text
_start:
    own_utcb ebx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    call dispatch
    l4_answer_and_wait eax
    jmp 2b

# Serve a request to add mr[0] to the sum; gives the tag of the reply in eax.
dispatch:
    mov ecx, dword ptr [ebx + UTCB_MR0]     # the cure: nothing has touched it yet
    mov dword ptr [amount], ecx
    call take_lock
    mov ecx, dword ptr [amount]
    add dword ptr [sum], ecx
    call release_lock
    mov ecx, dword ptr [sum]
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, REPLY
    ret

.include "semaphore_lock_holder.inc"

.bss
sum:        .space 4
amount:     .space 4
