# Innocent: a function does a call and returns a pointer to the answer, where it lies in the
# UTCB.  The caller reads it before it does anything else.
#
# This is how L4Re's Rm::get_regions gives its list.  The pointer was made in a function that
# has returned, and dies with the next call; until then it is good.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov ebp, dword ptr [ebx + UTCB_MR1]
    call get_list
    mov ecx, dword ptr [edx]                # 101
    add ecx, dword ptr [edx + UTCB_WORD]    # and 102
    sub ecx, 203
    lea ebp, [ebp + ebp]
    add ecx, ebp
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret

# Ask the other server for its list: gives a pointer to it in edx.
get_list:
    mov dword ptr [ebx + UTCB_MR0], OP_TELL
    l4_invoke OTHER|L4_CALL, TELL_1, L4_TIMEOUT_NEVER
    lea edx, [ebx + UTCB_MR0]
    ret
