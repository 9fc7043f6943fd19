# Innocent: a call fails, its error is read, and only then comes the next call.
#
# The error word keeps its value until some other call fails; here it is read in time.

.include "corpus.inc"

NOBODY      = 0x99 << L4_CAP_SHIFT          # an empty capability

.text
_start:
    server_loop dispatch

dispatch:
    mov rbp, qword ptr [rbx + UTCB_MR1]
    l4_invoke NOBODY|L4_CALL, TELL_1, L4_TIMEOUT_NEVER
    test eax, L4_TAG_ERROR
    jz 1f
    mov rcx, qword ptr [rbx + UTCB_ERROR]
    sub rcx, L4_IPC_NOT_EXISTENT
    add rbp, rcx
1:  call notify
    add rbp, rbp
    mov qword ptr [rbx + UTCB_MR0], rbp
    mov eax, 1
    ret

# Tell the other server that something is going on.
notify:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
