# The client of case 6: it asks for one byte more than a reply can hold, and then for twice
# of 42.

.include "corpus.inc"
.include "console.inc"

ROOM        = (UTCB_MR_COUNT - 1) * UTCB_WORD

.text
_start:
    own_utcb rbx
    call read_all
    log had
    mov rax, qword ptr [rip + wrong]
    log_number rax
    mov qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    mov qword ptr [rbx + UTCB_MR1], 42
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    mov rcx, qword ptr [rbx + UTCB_MR0]
    sar rax, L4_TAG_LABEL_SHIFT
    jz 1f
    mov rcx, rax                            # an error
1:  mov qword ptr [rip + result], rcx
    mov rbp, rcx
    log got
    log_number rbp
    log newline
    sleep_forever

# Read from the console and count the bytes that are not as they should be.
read_all:
    mov qword ptr [rbx + UTCB_MR0], OP_READ
    mov qword ptr [rbx + UTCB_MR1], ROOM + 1
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    mov rdx, qword ptr [rbx + UTCB_MR0]     # how many bytes came
    cmp rdx, ROOM
    jbe 1f
    mov edx, ROOM
1:  xor ecx, ecx
2:  cmp rcx, rdx
    jae 4f
    cmp byte ptr [rbx + rcx + UTCB_MR1], 'x'
    je 3f
    inc qword ptr [rip + wrong]
3:  inc rcx
    jmp 2b
4:  ret

.include "log.inc"

.rodata
had:        .asciz "client: wrong bytes: "
got:        .asciz "; twice 42 is "
newline:    .asciz "\n"

.bss
wrong:      .space 8
result:     .space 8
