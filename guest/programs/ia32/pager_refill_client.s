# The client of the pager_refill scenarios: writes to three pages, and reads them back.

.include "l4.inc"
.include "items.inc"
.include "paging.inc"

HOW_MANY    = PROTO_PAGER << L4_TAG_LABEL_SHIFT

.text
_start:
    own_utcb ebx
    mov ecx, WINDOW
    mov dword ptr [ecx], 42
    mov dword ptr [ecx + 0x1000], 43
    mov dword ptr [ecx + 0x2000], 44

    mov eax, dword ptr [ecx]
    mov dword ptr [first], eax
    l4_invoke L4_CAP_PAGER|L4_CALL, HOW_MANY, L4_TIMEOUT_NEVER
    mov ebp, dword ptr [ebx + UTCB_MR0]
    log faults
    log_number ebp
    log pages
    mov ebp, dword ptr [first]
    log_number ebp
    log end
    sleep_forever

.include "log.inc"

.rodata
faults:     .asciz "client: "
pages:      .asciz " page faults for 3 pages; wrote 42 to the first, read "
end:        .asciz "\n"

.bss
first:      .space 4
