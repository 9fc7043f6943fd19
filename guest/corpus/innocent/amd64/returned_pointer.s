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
    mov rbp, qword ptr [rbx + UTCB_MR1]
    call get_list
    mov rcx, qword ptr [rdx]                # 101
    add rcx, qword ptr [rdx + UTCB_WORD]    # and 102
    sub rcx, 203
    lea rbp, [rbp + rbp]
    add rcx, rbp
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret

# Ask the other server for its list: gives a pointer to it in rdx.
get_list:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    l4_invoke OTHER|L4_CALL, TELL_1, L4_TIMEOUT_NEVER
    lea rdx, [rbx + UTCB_MR0]
    ret
