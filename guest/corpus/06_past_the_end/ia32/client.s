# The client of case 6: it asks for one byte more than a reply can hold, and then for twice
# of 42.

.include "corpus.inc"
.include "console.inc"

ROOM        = (UTCB_MR_COUNT - 1) * UTCB_WORD

.text
_start:
    own_utcb ebx
    call read_all
    log had
    mov eax, dword ptr [wrong]
    log_number eax
    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    mov dword ptr [ebx + UTCB_MR1], 42
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    mov ecx, dword ptr [ebx + UTCB_MR0]
    sar eax, L4_TAG_LABEL_SHIFT
    jz 1f
    mov ecx, eax                            # an error
1:  mov dword ptr [result], ecx
    mov ebp, ecx
    log got
    log_number ebp
    log newline
    sleep_forever

# Read from the console and count the bytes that are not as they should be.
read_all:
    mov dword ptr [ebx + UTCB_MR0], OP_READ
    mov dword ptr [ebx + UTCB_MR1], ROOM + 1
    l4_invoke SERVER|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    mov edx, dword ptr [ebx + UTCB_MR0]     # how many bytes came
    cmp edx, ROOM
    jbe 1f
    mov edx, ROOM
1:  xor ecx, ecx
2:  cmp ecx, edx
    jae 4f
    cmp byte ptr [ebx + ecx + UTCB_MR1], 'x'
    je 3f
    inc dword ptr [wrong]
3:  inc ecx
    jmp 2b
4:  ret

.include "log.inc"

.rodata
had:        .asciz "client: wrong bytes: "
got:        .asciz "; twice 42 is "
newline:    .asciz "\n"

.bss
wrong:      .space 4
result:     .space 4
