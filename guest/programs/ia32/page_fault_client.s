# The client of page_fault_forever: touches 256 pages, one after the other, and when it has
# them all takes them away from itself again.

.include "l4.inc"

WINDOW      = 0x10000000                # where no segment is
PAGES       = 256
ORDER       = 20                        # of 256 pages
MEMORY      = 1 << 4
THIS_TOO    = 0x80000000                # Task.unmap: in this task too, not its children only

.text
_start:
    own_utcb ebx
1:  mov edi, WINDOW
    mov esi, PAGES
2:  mov dword ptr [edi], esi            # a page fault
    add edi, 0x1000
    dec esi
    jnz 2b

    mov dword ptr [ebx + UTCB_MR0], L4_TASK_UNMAP
    mov eax, THIS_TOO
    mov dword ptr [ebx + UTCB_MR1], eax
    mov dword ptr [ebx + UTCB_MR2], WINDOW + (ORDER << 6) + MEMORY + 7
    mov eax, L4_PROTO_TASK << L4_TAG_LABEL_SHIFT | 3
    mov ecx, eax
    l4_invoke L4_CAP_TASK|L4_CALL, ecx, L4_TIMEOUT_NEVER
    jmp 1b
