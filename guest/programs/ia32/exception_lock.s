# An exception handler that takes a lock while its reply is under construction.
#
# The handler is given the client's registers as message registers, and what it replies
# becomes the client's registers.  It puts the result of the instruction that it emulates in
# its place, mr[0], and then counts the exception, under a lock.  This lock is a semaphore,
# whose opcode, 0, goes to mr[0].
#
# Guilty: the call of count in handle.
# Cure:   exception_frame_kept.s.

.include "l4.inc"
.include "exception.inc"

.text
_start:
    own_utcb ebx
    l4_invoke LOCK|L4_SEND, SEM_UP, L4_TIMEOUT_NEVER
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    call handle
    l4_answer_and_wait FRAME_WORDS
    jmp 2b

# Emulate the client's instruction, and let it go on behind it.
handle:
    mov dword ptr [ebx + UTCB_MR0], RESULT
    add dword ptr [ebx + FRAME_IP], UD2_SIZE
    call count                      # GUILTY: the reply is in the message registers already
    ret

# Count an exception.
count:
    mov dword ptr [ebx + UTCB_MR0], L4_SEMAPHORE_DOWN
    l4_invoke LOCK|L4_CALL, SEM_DOWN, L4_TIMEOUT_NEVER
    inc dword ptr [exceptions]
    l4_invoke LOCK|L4_SEND, SEM_UP, L4_TIMEOUT_NEVER
    ret

.bss
exceptions: .space 4
