# Case 20: a request that waits in the CPU's registers while a function is called.
#
# What happened: f9-kernel, include/l4/utcb.h.  There the message registers are the CPU's own
# r4 to r11; LoadMR sets one and Ipc sends them.  Between the two the compiler may call a
# function, and a function may use registers: what was loaded is gone.  It is the bug of
# this corpus in its oldest form: a place that all calls share, taken for one's own.
#
# Pattern: a request set up in shared registers.
# Guilty:  the call of checksum between staging and sending.  The number in edi, which any
#          function may change, becomes 999: twice of it is 1998, not 84.
# Cure:    stage after the last call: fixed.s.

.include "corpus.inc"

.text
_start:
    own_utcb ebx
    call ask
    mov ebp, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [result], ebp
    log got
    log_number ebp
    log newline
    sleep_forever

# Ask for twice of 42.
ask:
    mov esi, OP_DOUBLE                      # staged: message register 0
    mov edi, 42                             # ... and 1
    call checksum                           # GUILTY: it is free to use both
    mov dword ptr [ebx + UTCB_MR0], esi
    mov dword ptr [ebx + UTCB_MR1], edi
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    ret

# Some computation, as compilers make it: with the registers that belong to nobody.
checksum:
    mov edi, 990
    add edi, 9
    mov eax, edi
    ret

.include "log.inc"

.rodata
got:        .asciz "client: twice 42 is "
newline:    .asciz "\n"

.bss
result:     .space 4
