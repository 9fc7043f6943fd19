# The exception handler of exception_lock.s, cured: it takes the frame out of the message
# registers before it does anything else, and puts it back last.

.include "l4.inc"
.include "exception.inc"

.text
_start:
    own_utcb rbx
    l4_invoke LOCK|L4_SEND, SEM_UP, L4_TIMEOUT_NEVER
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    call handle
    l4_answer_and_wait FRAME_WORDS
    jmp 2b

# Emulate the client's instruction, and let it go on behind it.
handle:
    lea rdi, [rip + frame]
    mov rsi, rbx
    mov ecx, FRAME_WORDS
    rep movsq
    call count
    lea rsi, [rip + frame]
    mov rdi, rbx
    mov ecx, FRAME_WORDS
    rep movsq
    mov qword ptr [rbx + UTCB_MR0], RESULT
    add qword ptr [rbx + FRAME_IP], UD2_SIZE
    ret

# Count an exception.
count:
    mov qword ptr [rbx + UTCB_MR0], L4_SEMAPHORE_DOWN
    l4_invoke LOCK|L4_CALL, SEM_DOWN, L4_TIMEOUT_NEVER
    inc qword ptr [rip + exceptions]
    l4_invoke LOCK|L4_SEND, SEM_UP, L4_TIMEOUT_NEVER
    ret

.bss
exceptions: .space 8
frame:      .space 8 * FRAME_WORDS
