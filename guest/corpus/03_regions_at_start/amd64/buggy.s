# Case 3: a start-up loop over a list in the UTCB, right by luck.
#
# What happened: L4Re, l4re-core commit eef07ed56 (2025).  The in-task service fetches the
# list of regions when it starts and inserts each into its own tree.  The list lies in the
# UTCB.  Inserting may need memory, and memory may need a call; it never hurt, but the
# list was copied out of the UTCB "as a precaution".
#
# Pattern: borrowed pointer into the UTCB, kept across a call.
# Guilty:  the loads of the second region after insert has asked for memory.  That call
#          has one word and its answer none, so mr[2] and mr[3] still are what they were:
#          latent.  In buggy-grown.toml the memory server answers with three words, and the
#          same program adds up nonsense.
# Cure:    copy the list first: fixed.s.

.include "corpus.inc"
.include "regions.inc"

.text
_start:
    own_utcb rbx
    call insert_all
    log total
    mov rax, qword ptr [rip + size]
    log_number rax
    log newline
    sleep_forever

# Insert all regions into the tree.
insert_all:
    call get_regions
    mov rbp, rdx
1:  test eax, eax
    jz 2f
    push rax
    mov rax, qword ptr [rbp]                # GUILTY, from the second on
    mov rdx, qword ptr [rbp + UTCB_WORD]    # GUILTY, from the second on
    call insert
    pop rax
    add rbp, 2 * UTCB_WORD
    dec eax
    jmp 1b
2:  ret

# Ask for all regions: gives how many in rax and a pointer to the first in rdx.
get_regions:
    mov qword ptr [rbx + UTCB_MR0], OP_GET
    mov qword ptr [rbx + UTCB_MR1], 0
    l4_invoke REGION_MAP|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    sar rax, L4_TAG_LABEL_SHIFT
    lea rdx, [rbx + UTCB_MR0]
    ret

# Insert the region from rax to rdx: here that adds up sizes.
insert:
    sub rdx, rax
    inc rdx
    add qword ptr [rip + size], rdx
    cmp qword ptr [rip + nodes], 0
    jne 1f
    call more_nodes
1:  dec qword ptr [rip + nodes]
    ret

# Ask for memory for 16 nodes.
more_nodes:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    l4_invoke OTHER|L4_CALL, TELL_1, L4_TIMEOUT_NEVER
    mov qword ptr [rip + nodes], 16
    ret

.include "log.inc"

.rodata
total:      .asciz "client: bytes in regions: "
newline:    .asciz "\n"

.bss
size:       .space 8
nodes:      .space 8
