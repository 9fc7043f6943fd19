# The client of the fault_in_setup scenarios: it has three of five numbers in its message
# registers when it touches a page that is not there.
#
# What follows is a call of its pager, made by the kernel, in this very UTCB.  The kernel
# saves and restores five words of it: BDR, br[0], br[1], mr[0] and mr[1].

.include "l4.inc"
.include "paging.inc"
.include "adder.inc"

ADDER       = 0x20 << L4_CAP_SHIFT
ADD         = PROTO_ADDER << L4_TAG_LABEL_SHIFT | NUMBERS

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], 1
    mov dword ptr [ebx + UTCB_MR1], 2
    mov dword ptr [ebx + UTCB_MR2], 4
    mov ecx, WINDOW
    mov eax, dword ptr [ecx]        # the page fault; an 8 is there
    mov dword ptr [ebx + UTCB_MR3], eax
    mov dword ptr [ebx + UTCB_MR4], 16
    l4_invoke ADDER|L4_CALL, ADD, L4_TIMEOUT_NEVER
    mov ebp, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [result], ebp
    log sum
    log_number ebp
    log expected
    sleep_forever

.include "log.inc"

.rodata
sum:        .asciz "client: 1 + 2 + 4 + 8 + 16 is "
expected:   .asciz " (31 expected)\n"

.bss
result:     .space 4
