# Case 2, cured: the region's end is read before the call; the story is in buggy.s.

.include "corpus.inc"
.include "regions.inc"

PATIENCE    = 8

.text
_start:
    own_utcb ebx
    call reserve_all
    log reserved
    mov eax, dword ptr [rounds]
    log_number eax
    log newline
    sleep_forever

# Reserve an area for each region that the region map knows.
reserve_all:
    xor ebp, ebp                            # look from here on
1:  call get_regions
    test eax, eax
    jz 2f
    cmp dword ptr [rounds], PATIENCE
    je 2f
    inc dword ptr [rounds]
    mov eax, dword ptr [edx]                # where it starts
    mov ebp, dword ptr [edx + UTCB_WORD]    # the cure: where it ends
    call reserve
    inc ebp
    jmp 1b
2:  ret

# Ask for the regions from ebp on: gives how many in eax and a pointer to the first in edx.
get_regions:
    mov dword ptr [ebx + UTCB_MR0], OP_GET
    mov dword ptr [ebx + UTCB_MR1], ebp
    l4_invoke REGION_MAP|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    sar eax, L4_TAG_LABEL_SHIFT
    lea edx, [ebx + UTCB_MR0]
    ret

# Reserve an area at eax.
reserve:
    mov dword ptr [ebx + UTCB_MR0], OP_RESERVE
    mov dword ptr [ebx + UTCB_MR1], eax
    l4_invoke REGION_MAP|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    ret

.include "log.inc"

.rodata
reserved:   .asciz "client: areas reserved: "
newline:    .asciz "\n"

.bss
rounds:     .space 4
