# Case 1: a nested call between two reads of one message.
#
# What happened: the oldest report of its kind.  The TUDOS wiki's FAQ (2012) explains to
# people whose servers get wrong parameters that a server must read all of a request
# before it does any IPC of its own.  Their dispatch() took the opcode out of the stream,
# notified somebody, and took the next parameter out: but that had become a word of the
# other server's reply.
#
# Pattern: read, call, read.
# Guilty:  the load of mr[1] after the call of notify.  The client gets 204, not 84.
# Cure:    read everything first: fixed.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp qword ptr [rbx + UTCB_MR0], OP_DOUBLE
    jne 1f
    call notify
    mov rcx, qword ptr [rbx + UTCB_MR1]     # GUILTY: this is the other server's 102
    add rcx, rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret
1:  mov rax, NO_SYS
    ret

# Tell the other server that something is going on.
notify:
    mov qword ptr [rbx + UTCB_MR0], OP_TELL
    mov qword ptr [rbx + UTCB_MR1], 3
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    ret
