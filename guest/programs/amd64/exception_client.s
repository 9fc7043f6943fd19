# The client of the exception scenarios: it executes an instruction that does not exist.
# Its handler lets it go on behind it, with all registers as they were, or so it hopes.

.include "l4.inc"
.include "exception.inc"

.text
_start:
    set_first
    ud2
    keep_first first
    set_first
    ud2
    keep_first second
    mov rbp, qword ptr [rip + first]
    log went_on
    log_number rbp
    log and_then
    mov rbp, qword ptr [rip + second]
    log_number rbp
    log expected
    sleep_forever

.include "log.inc"

.rodata
went_on:    .asciz "client: the first register of the frame is "
and_then:   .asciz ", then "
expected:   .asciz " (35 expected)\n"

.bss
first:      .space 8
second:     .space 8
