# Innocent: a handler of exceptions gets the registers of the faulting thread in its message
# registers, changes the instruction pointer among them, and sends them back.
#
# It replies with words that it has not written.  They are the faulting thread's own.

.include "corpus.inc"

.if UTCB_WORD == 8
IP          = UTCB_MR18                     # ABI 5.2
FRAME       = 26
.else
IP          = UTCB_MR14
FRAME       = 19
.endif
UD2         = 2                             # bytes of the instruction that faults

.text
_start:
    own_utcb rbx
    ud2
    mov qword ptr [rip + survived], 1
    log went_on
    sleep_forever

handler:
    server_loop skip

# Let the thread go on behind its instruction.
skip:
    add qword ptr [rbx + IP], UD2
    mov eax, FRAME
    ret

.include "log.inc"

.rodata
went_on:    .asciz "main: went on\n"

.bss
survived:   .space 8
