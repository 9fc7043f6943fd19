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
    own_utcb rbx
1:  mov r12, WINDOW
    mov r13d, PAGES
2:  mov qword ptr [r12], r13            # a page fault
    add r12, 0x1000
    dec r13d
    jnz 2b

    mov qword ptr [rbx + UTCB_MR0], L4_TASK_UNMAP
    mov rax, THIS_TOO
    mov qword ptr [rbx + UTCB_MR1], rax
    mov qword ptr [rbx + UTCB_MR2], WINDOW + (ORDER << 6) + MEMORY + 7
    mov rax, L4_PROTO_TASK << L4_TAG_LABEL_SHIFT | 3
    mov rcx, rax
    l4_invoke L4_CAP_TASK|L4_CALL, rcx, L4_TIMEOUT_NEVER
    jmp 1b
