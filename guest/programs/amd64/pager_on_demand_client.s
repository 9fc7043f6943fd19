# The client of pager_on_demand: it writes to four pages that are not there, reads them
# back, and asks the pager how often it was needed.

.include "l4.inc"
.include "items.inc"
.include "paging.inc"

HOW_MANY    = PROTO_PAGER << L4_TAG_LABEL_SHIFT

.text
_start:
    own_utcb rbx
    mov ecx, WINDOW
    mov edx, 1
1:  mov qword ptr [rcx], rdx        # a page fault each
    add ecx, L4_PAGE_SIZE
    inc edx
    cmp edx, 4
    jbe 1b

    mov ecx, WINDOW
    xor ebp, ebp
    mov edx, 4
2:  add rbp, qword ptr [rcx]        # none any more
    add ecx, L4_PAGE_SIZE
    dec edx
    jnz 2b
    mov qword ptr [rip + sum], rbp

    l4_invoke L4_CAP_PAGER|L4_CALL, HOW_MANY, L4_TIMEOUT_NEVER
    mov rax, qword ptr [rbx + UTCB_MR0]
    mov qword ptr [rip + faults], rax
    log wrote
    log_number rbp
    log served
    mov rbp, qword ptr [rip + faults]
    log_number rbp
    log end
    sleep_forever

.include "log.inc"

.rodata
wrote:      .asciz "client: wrote 1, 2, 3, 4, read a sum of "
served:     .asciz "; the pager served "
end:        .asciz " faults\n"

.bss
sum:        .space 8
faults:     .space 8
