# Case 15, first half: a restore that one path does not take.
#
# What happened: Genode commit b4283c9121 (2013, #806).  Code that had to do IPC while a
# message was alive saved the message registers and restored them; but not on every way out.
#
# Pattern: save without restore.
# Guilty:  the early return of record.  dispatch reads mr[1] after it: 204, not 84.
# Cure:    restore on every way: fixed.s.  The second half of the case is partial.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 1f
    call record
    mov ecx, dword ptr [ebx + UTCB_MR1]     # wrong, if record left early
    add ecx, ecx
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret
1:  mov eax, NO_SYS
    ret

# Have the other server record that a request came; it may know that already (101).
record:
    sub esp, 8 * UTCB_MR_COUNT
    mov esi, ebx
    mov edi, esp
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    cmp dword ptr [ebx + UTCB_MR0], 101
    je 1f                                   # GUILTY: nothing is restored
    inc dword ptr [recorded]
    mov esi, esp
    mov edi, ebx
    mov ecx, UTCB_MR_COUNT
    rep movs dword ptr [edi], dword ptr [esi]
1:  add esp, 8 * UTCB_MR_COUNT
    ret

.bss
recorded:   .space 4
