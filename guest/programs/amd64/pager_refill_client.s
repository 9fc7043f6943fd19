# The client of the pager_refill scenarios: writes to three pages, and reads them back.

.include "l4.inc"
.include "items.inc"
.include "paging.inc"

HOW_MANY    = PROTO_PAGER << L4_TAG_LABEL_SHIFT

.text
_start:
    own_utcb rbx
    mov ecx, WINDOW
    mov qword ptr [rcx], 42
    mov qword ptr [rcx + 0x1000], 43
    mov qword ptr [rcx + 0x2000], 44

    mov rax, qword ptr [rcx]
    mov qword ptr [rip + first], rax
    l4_invoke L4_CAP_PAGER|L4_CALL, HOW_MANY, L4_TIMEOUT_NEVER
    mov rbp, qword ptr [rbx + UTCB_MR0]
    log faults
    log_number rbp
    log pages
    mov rbp, qword ptr [rip + first]
    log_number rbp
    log end
    sleep_forever

.include "log.inc"

.rodata
faults:     .asciz "client: "
pages:      .asciz " page faults for 3 pages; wrote 42 to the first, read "
end:        .asciz "\n"

.bss
first:      .space 8
