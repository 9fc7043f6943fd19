# The cure of semaphore_lock.s: the parameter is read before the lock is taken.

.include "l4.inc"
.include "semaphore_lock.inc"

.text
_start:
    own_utcb rbx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    call dispatch
    l4_answer_and_wait rax
    jmp 2b

# Serve a request to add mr[0] to the sum; gives the tag of the reply in rax.
dispatch:
    mov rcx, qword ptr [rbx + UTCB_MR0]     # the cure: nothing has touched it yet
    mov qword ptr [rip + amount], rcx
    call take_lock
    mov rcx, qword ptr [rip + amount]
    add qword ptr [rip + sum], rcx
    call release_lock
    mov rcx, qword ptr [rip + sum]
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, REPLY
    ret

.include "semaphore_lock_holder.inc"

.bss
sum:        .space 8
amount:     .space 8
