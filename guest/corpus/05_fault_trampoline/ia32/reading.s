# Case 5 at a server: the handler of its page faults saves nothing at all, and a fault comes
# between two reads of one message.  The story is in buggy.s.
#
# Guilty:  fault_handler.  dispatch calls nobody, yet what it reads after an access to memory
#          is what the handler has asked for.

.include "corpus.inc"

HEAP        = 0x50000000
STATE       = 0x60000000                    # of the trampoline: kernel memory (ABI 5.5)
STATE_PAGE  = STATE | 12 << 6 | 0x16        # as a flexpage: one page, read and write
WINDOW      = 8                             # a buffer for everything, with the word behind it
ALL_SPACES  = 0xfc0
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
    server_loop dispatch

dispatch:
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 1f
    mov edx, HEAP
    inc dword ptr [edx]                     # count requests; the page is not there yet
    mov ecx, dword ptr [ebx + UTCB_MR1]     # what the handler has left
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret
1:  mov eax, NO_SYS
    ret

# The kernel sends the thread here when a page is missing; it keeps the registers.
fault_handler:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_BDR], 0
    mov dword ptr [ebx + UTCB_BR0], WINDOW
    mov dword ptr [ebx + UTCB_BR1], ALL_SPACES
    mov dword ptr [ebx + UTCB_MR0], HEAP    # GUILTY: these are the request's words
    mov dword ptr [ebx + UTCB_MR1], 3       # to read and write
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    mov edx, STATE                          # resuming needs mr[0]: the kernel has kept it
    mov dword ptr [ebx + UTCB_MR0], RESUME
    l4_invoke L4_INVALID_CAP|L4_CALL, THREAD_1, L4_TIMEOUT_NEVER
