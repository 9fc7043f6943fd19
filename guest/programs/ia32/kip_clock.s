# The kernel info page: its magic number, and its clock in three forms.
#
# The field at 0x20 holds what the clock said when the kernel was left last.  The functions at
# 0x900 and 0x980 ask the CPU, so that their time goes on while a program only computes.

.include "l4.inc"

MAGIC       = 0x4be6344c
FIELD       = L4_KIP + 0x20
MICROSECONDS = L4_KIP + 0x900
NANOSECONDS = L4_KIP + 0x980
SLEEP_5MS   = 3 << L4_TIMEOUT_EXPONENT_SHIFT | 625           # 625 << 3 microseconds

# All times here fit 32 bits.
.macro microseconds place
    mov eax, MICROSECONDS
    call eax
    mov dword ptr [\place], eax
.endm

.text
_start:
    own_utcb ebx
    mov eax, L4_KIP
    cmp dword ptr [eax], MAGIC
    jne failed
    log found

    # Asleep: the clock goes on by what we slept, and a little.
    microseconds before
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, SLEEP_5MS
    microseconds after
    mov eax, FIELD
    mov eax, dword ptr [eax]
    cmp eax, dword ptr [after]        # the field is never ahead of the function
    ja failed
    mov eax, dword ptr [after]
    sub eax, dword ptr [before]
    xor edx, edx
    mov ecx, 1000
    div ecx
    mov dword ptr [result], eax
    log slept
    mov ecx, dword ptr [result]
    log_number ecx
    log milliseconds

    # Awake, without a system call.
    microseconds before
1:  microseconds after
    mov eax, dword ptr [after]
    sub eax, dword ptr [before]
    cmp eax, 50
    jb 1b
    log waited

    # A nanosecond clock that is a thousand times as fine.
    microseconds before
    mov eax, NANOSECONDS
    call eax
    xor edx, edx
    mov ecx, 1000
    div ecx
    sub eax, dword ptr [before]
    cmp eax, 10
    ja failed
    log agree
    sleep_forever

failed:
    log wrong
    sleep_forever

.include "log.inc"

.rodata
found:          .asciz "found the page\n"
slept:          .asciz "slept "
milliseconds:   .asciz " ms\n"
waited:         .asciz "waited 50 us without the kernel\n"
agree:          .asciz "both clocks agree\n"
wrong:          .asciz "something is wrong\n"

.bss
before:     .space 4
after:      .space 4
result:     .space 4
