# What paths of the kernel take, as a benchmark of IPC measures it: a loop between two looks
# at the clock, with all that user code does for it.
#
# At the end `call_cycles` and `system_call_cycles` hold the cycles of ROUNDS calls without
# words, each with its answer, and of ROUNDS system calls that find no capability.  `echo`
# is the other end for a thread of the same task, pingpong_echo.s for one of another.

.include "l4.inc"

SERVER      = 0x20 << L4_CAP_SHIFT
NOTHING     = 0x21 << L4_CAP_SHIFT
ROUNDS      = 1000

.text
_start:
    mov ebx, 10                 # for the caches, if there were any
1:  l4_invoke SERVER|L4_CALL, 0, L4_TIMEOUT_NEVER
    dec ebx
    jnz 1b

    rdtsc
    mov ebp, eax
    mov ebx, ROUNDS
2:  l4_invoke SERVER|L4_CALL, 0, L4_TIMEOUT_NEVER
    test eax, L4_TAG_ERROR
    jnz failed
    dec ebx
    jnz 2b
    rdtsc
    sub eax, ebp
    mov dword ptr [call_cycles], eax

    rdtsc
    mov ebp, eax
    mov ebx, ROUNDS
3:  l4_invoke NOTHING|L4_CALL, 0, L4_TIMEOUT_NEVER
    dec ebx
    jnz 3b
    rdtsc
    sub eax, ebp
    mov dword ptr [system_call_cycles], eax
    sleep_forever

failed:
    ud2

echo:
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    l4_answer_and_wait 0
    jmp 2b

.data
call_cycles:        .long 0
system_call_cycles: .long 0
