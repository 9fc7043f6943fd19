# Case 4: malloc does IPC.
#
# What happened: L4Re, l4re-core commit bdf16a353 (2025, CD-1580).  The C library's malloc
# maps memory when it has none left, by a call to the region map.  A server that calls
# malloc while a request or half a reply lies in its message registers works until that
# day.  The cure was to make malloc save and restore all message registers around it.
#
# Pattern: hidden IPC.
# Guilty:  the load of mr[1] after the call of malloc.  The client gets 204, not 84.
# Cure:    let malloc's refill save and restore: fixed.s.  Reading first does as well.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 1f
    call malloc
    mov rcx, qword ptr [rbx + UTCB_MR1]     # GUILTY: malloc had to ask for memory
    mov qword ptr [rax], rcx
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret
1:  mov rax, NO_SYS
    ret

# Give the address of a free cell in rax.
malloc:
    cmp qword ptr [rip + stock], 0
    jne 1f
    call mmap
1:  dec qword ptr [rip + stock]
    mov rcx, qword ptr [rip + stock]
    lea rax, [rip + cells]
    lea rax, [rax + rcx*8]
    ret

# Ask for memory for more cells.
mmap:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 16
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    mov qword ptr [rip + stock], 16
    ret

.bss
stock:      .space 8
cells:      .space 8 * 16
