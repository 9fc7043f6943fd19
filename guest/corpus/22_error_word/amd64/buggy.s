# Case 22: the error word, read too late.
#
# What happens: a call fails, and the reason stands in the thread's error word.  Before that is
# read a function is called that reports the failure, by a message that nobody takes.  Then the
# error word tells why that failed.
#
# Pattern: a place that all calls share, taken for one's own.
# Guilty:  the call of report before the error word is read: the client is told 82, not 84.
# Cure:    read the error word first: fixed.s.

.include "corpus.inc"

NOBODY      = 0x99 << L4_CAP_SHIFT          # an empty capability

.text
_start:
    server_loop dispatch

dispatch:
    mov rbp, qword ptr [rbx + UTCB_MR1]
    add rbp, rbp
    l4_invoke NOBODY|L4_CALL, TELL_1, L4_TIMEOUT_NEVER
    test eax, L4_TAG_ERROR
    jz 1f
    call report
    mov rcx, qword ptr [rbx + UTCB_ERROR]   # GUILTY: of report's own message
    sub rcx, L4_IPC_NOT_EXISTENT
    add rbp, rcx
1:  mov qword ptr [rbx + UTCB_MR0], rbp
    mov eax, 1
    ret

# Tell somebody that something is wrong, if he listens.
report:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke OTHER|L4_SEND, TELL_2, L4_TIMEOUT_SEND_ZERO
    ret
