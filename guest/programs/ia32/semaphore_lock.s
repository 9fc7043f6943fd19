# A server that takes a lock before it has read its parameter.
#
# The lock is quick while nobody else has it: an atomic addition in memory, no system call.
# That is how it went in every test.  But when another thread holds it, the lock waits at a
# semaphore, and a down is a system call with a parameter: its opcode, 0, in mr[0].  There
# the client's number was.  It is lost only under contention.
#
# Guilty: the load of mr[0] after the call of take_lock.
# Cure:   semaphore_lock_read_first.s.

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
    call take_lock
    mov ecx, dword ptr [ebx + UTCB_MR0]     # GUILTY: under contention that is the opcode
    add dword ptr [sum], ecx
    call release_lock
    mov ecx, dword ptr [sum]
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, REPLY
    ret

.include "semaphore_lock_holder.inc"

.bss
sum:        .space 4
