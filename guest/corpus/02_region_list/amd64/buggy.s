# Case 2: a client loops over a list that lies in its UTCB, and calls from the loop.
#
# What happened: L4Re, l4re-core commit 2e52caeb2 (2018, ticket #816).  Rm::get_regions
# gives a pointer to the list of regions; it points into the message registers.  The
# caller reserved an area for each region, by a call, and then took the region's end
# from the list to go on behind it.  By then the list was the reserving call's message.
# With a single region left the loop never ended.
#
# Pattern: borrowed pointer into the UTCB, kept across a call.
# Guilty:  the load of the region's end after the call of reserve.  It gives the start,
#          so the same region is found again, for ever; here for eight rounds.
# Cure:    copy what is needed out of the UTCB before the call: fixed.s.

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
    push rdx
    mov rax, qword ptr [rdx]                # where it starts
    call reserve
    pop rdx
    mov rbp, qword ptr [rdx + UTCB_WORD]    # GUILTY: no longer where it ends
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
