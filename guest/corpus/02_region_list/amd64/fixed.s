# Case 2, cured: the region's end is read before the call; the story is in buggy.s.

.include "corpus.inc"
.include "regions.inc"

PATIENCE    = 8

.text
_start:
    own_utcb rbx
    call reserve_all
    log reserved
    mov rax, qword ptr [rip + rounds]
    log_number rax
    log newline
    sleep_forever

# Reserve an area for each region that the region map knows.
reserve_all:
    xor ebp, ebp                            # look from here on
1:  call get_regions
    test eax, eax
    jz 2f
    cmp qword ptr [rip + rounds], PATIENCE
    je 2f
    inc qword ptr [rip + rounds]
    mov rax, qword ptr [rdx]                # where it starts
    mov rbp, qword ptr [rdx + UTCB_WORD]    # the cure: where it ends
    call reserve
    inc rbp
    jmp 1b
2:  ret

# Ask for the regions from rbp on: gives how many in rax and a pointer to the first in rdx.
get_regions:
    mov qword ptr [rbx + UTCB_MR0], OP_GET
    mov qword ptr [rbx + UTCB_MR1], rbp
    l4_invoke REGION_MAP|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    sar rax, L4_TAG_LABEL_SHIFT
    lea rdx, [rbx + UTCB_MR0]
    ret

# Reserve an area at rax.
reserve:
    mov qword ptr [rbx + UTCB_MR0], OP_RESERVE
    mov qword ptr [rbx + UTCB_MR1], rax
    l4_invoke REGION_MAP|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    ret

.include "log.inc"

.rodata
reserved:   .asciz "client: areas reserved: "
newline:    .asciz "\n"

.bss
rounds:     .space 8
