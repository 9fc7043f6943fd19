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
    mov ebp, dword ptr [first]
    log_number ebp
    log and_then
    mov ebp, dword ptr [second]
    log_number ebp
    log expected
    sleep_forever

.include "log.inc"

.rodata
results:    .asciz "client: the emulated instruction gives "
and_then:   .asciz ", then "
expected:   .asciz " (35 expected)\n"

.bss
first:      .space 4
second:     .space 4
