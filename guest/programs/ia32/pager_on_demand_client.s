# The client of pager_on_demand: it writes to four pages that are not there, reads them
# back, and asks the pager how often it was needed.

.include "l4.inc"
.include "items.inc"
.include "paging.inc"

HOW_MANY    = PROTO_PAGER << L4_TAG_LABEL_SHIFT

.text
_start:
    own_utcb ebx
    mov ecx, WINDOW
    mov edx, 1
1:  mov dword ptr [ecx], edx        # a page fault each
    add ecx, L4_PAGE_SIZE
    inc edx
    cmp edx, 4
    jbe 1b

    mov ecx, WINDOW
    xor ebp, ebp
    mov edx, 4
2:  add ebp, dword ptr [ecx]        # none any more
    add ecx, L4_PAGE_SIZE
    dec edx
    jnz 2b
    mov dword ptr [sum], ebp

    l4_invoke L4_CAP_PAGER|L4_CALL, HOW_MANY, L4_TIMEOUT_NEVER
    mov eax, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [faults], eax
    log wrote
    log_number ebp
    log served
    mov ebp, dword ptr [faults]
    log_number ebp
    log end
    sleep_forever

.include "log.inc"

.rodata
wrote:      .asciz "client: wrote 1, 2, 3, 4, read a sum of "
served:     .asciz "; the pager served "
end:        .asciz " faults\n"

.bss
sum:        .space 4
faults:     .space 4
