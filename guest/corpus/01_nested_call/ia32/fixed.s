# Case 1, cured: every parameter is read before the nested call; the story is in buggy.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 1f
    mov ebp, dword ptr [ebx + UTCB_MR1]     # the cure
    call notify
    add ebp, ebp
    mov dword ptr [ebx + UTCB_MR0], ebp
    mov eax, 1
    ret
1:  mov eax, NO_SYS
    ret

# Tell the other server that something is going on.
notify:
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    mov dword ptr [ebx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
