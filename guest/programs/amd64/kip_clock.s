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

.macro microseconds place
    mov eax, MICROSECONDS
    call rax
    mov qword ptr [rip + \place], rax
.endm

.text
_start:
    own_utcb rbx
    mov eax, L4_KIP
    cmp dword ptr [rax], MAGIC
    jne failed
    log found

    # Asleep: the clock goes on by what we slept, and a little.
    microseconds before
    l4_invoke L4_INVALID_CAP|L4_RECEIVE, 0, SLEEP_5MS
    microseconds after
    mov eax, FIELD
    mov rax, qword ptr [rax]
    cmp rax, qword ptr [rip + after]        # the field is never ahead of the function
    ja failed
    mov rax, qword ptr [rip + after]
    sub rax, qword ptr [rip + before]
    xor edx, edx
    mov ecx, 1000
    div rcx
    mov qword ptr [rip + result], rax
    log slept
    mov rcx, qword ptr [rip + result]
    log_number rcx
    log milliseconds

    # Awake, without a system call.
    microseconds before
1:  microseconds after
    mov rax, qword ptr [rip + after]
    sub rax, qword ptr [rip + before]
    cmp rax, 50
    jb 1b
    log waited

    # A nanosecond clock that is a thousand times as fine.
    microseconds before
    mov eax, NANOSECONDS
    call rax
    xor edx, edx
    mov ecx, 1000
    div rcx
    sub rax, qword ptr [rip + before]
    cmp rax, 10
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
before:     .space 8
after:      .space 8
result:     .space 8
