# Case 5: a page fault that is handled by IPC in the very thread that has it.
#
# What happened: L4Re, l4re-core commit 5ca91ea59 with Fiasco commit cfdf2017 (2026).  With a
# page-fault trampoline the kernel does not ask a pager; it sends the thread to a handler
# in its own task, which gets the page by a call and resumes.  The interrupted code may be
# in the middle of a message, so the handler must give back everything that the call
# changes: message registers, buffer registers and the error word.
#
# Pattern: hidden IPC, at any access to memory.
# Guilty:  fault_handler, which saves the message registers only.  The buffer for a
#          capability that serve has prepared becomes a window for memory, the client's
#          capability does not go where it should, and the server's call fails: -4.
# Cure:    save and restore the buffer registers and the error word too: fixed.s.

.include "corpus.inc"

GIVEN       = 0x40 << L4_CAP_SHIFT          # where the client's capability is to go
SMALL       = 0xa                           # a buffer for a single capability (ABI 4.9)
WINDOW      = 8                             # a buffer for everything, with the word behind it
ALL_SPACES  = 0xfc0

HEAP        = 0x50000000
STATE       = 0x60000000                    # of the trampoline: kernel memory (ABI 5.5)
STATE_PAGE  = STATE | 12 << 6 | 0x16        # as a flexpage: one page, read and write
ADD_KU_MEM  = 3
TRAMPOLINE  = 9
RESUME      = TRAMPOLINE | 0x10000
TASK_2      = L4_PROTO_TASK << L4_TAG_LABEL_SHIFT | 2
THREAD_1    = L4_PROTO_THREAD << L4_TAG_LABEL_SHIFT | 1
THREAD_2    = L4_PROTO_THREAD << L4_TAG_LABEL_SHIFT | 2

.text
_start:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_MR0], ADD_KU_MEM
    mov dword ptr [ebx + UTCB_MR1], STATE_PAGE
    l4_invoke L4_CAP_TASK|L4_CALL, TASK_2, L4_TIMEOUT_NEVER
    lea eax, [fault_handler]
    mov edx, STATE
    mov dword ptr [edx], eax
    mov dword ptr [ebx + UTCB_MR0], TRAMPOLINE
    mov dword ptr [ebx + UTCB_MR1], STATE
    l4_invoke L4_INVALID_CAP|L4_CALL, THREAD_2, L4_TIMEOUT_NEVER
    call serve
    mov dword ptr [result], eax
    mov ebp, eax
    log got
    log_number ebp
    log newline
    sleep_forever

# Take a capability from a client and have 42 doubled with it.
serve:
    mov dword ptr [ebx + UTCB_BDR], 0
    mov dword ptr [ebx + UTCB_BR0], GIVEN | SMALL
    mov dword ptr [ebx + UTCB_BR1], 0
    mov edx, HEAP
    inc dword ptr [edx]                     # the page is not there yet
    l4_open_wait
    mov dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    mov dword ptr [ebx + UTCB_MR1], 42
    l4_invoke GIVEN|L4_CALL, ASK_2, L4_TIMEOUT_NEVER
    test eax, L4_TAG_ERROR
    jnz 1f
    mov eax, dword ptr [ebx + UTCB_MR0]
    ret
1:  mov eax, dword ptr [ebx + UTCB_ERROR]
    neg eax
    ret

# The kernel sends the thread here when a page is missing; it keeps the registers.
fault_handler:
    own_utcb ebx
    sub esp, 8 * UTCB_MR_COUNT              # GUILTY: this is not all
    mov esi, ebx
    mov edi, esp
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    mov dword ptr [ebx + UTCB_BDR], 0
    mov dword ptr [ebx + UTCB_BR0], WINDOW
    mov dword ptr [ebx + UTCB_BR1], ALL_SPACES
    mov dword ptr [ebx + UTCB_MR0], HEAP
    l4_invoke OTHER|L4_CALL, TELL_1, L4_TIMEOUT_NEVER
    mov esi, esp
    mov edi, ebx
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    add esp, 8 * UTCB_MR_COUNT
    mov edx, STATE                          # resuming needs mr[0]: the kernel has kept it
    mov dword ptr [ebx + UTCB_MR0], RESUME
    l4_invoke L4_INVALID_CAP|L4_CALL, THREAD_1, L4_TIMEOUT_NEVER

.include "log.inc"

.rodata
got:        .asciz "server: twice 42 is, says who was given: "
newline:    .asciz "\n"

.bss
result:     .space 4
