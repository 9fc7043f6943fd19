# The client of the exception scenarios: it executes an instruction that does not exist.
# Its handler emulates it: the result, 35, goes to the first register of the trap frame.

.include "l4.inc"
.include "exception.inc"

.text
_start:
    clear_first
    ud2
    keep_first first
    clear_first
    ud2
    keep_first second
    log results
    mov rbp, qword ptr [rip + first]
    log_number rbp
    log and_then
    mov rbp, qword ptr [rip + second]
    log_number rbp
    log expected
    sleep_forever

.include "log.inc"

.rodata
results:    .asciz "client: the emulated instruction gives "
and_then:   .asciz ", then "
expected:   .asciz " (35 expected)\n"

.bss
first:      .space 8
second:     .space 8
