# Case 24: a server that waits for an event while a client waits for it.
#
# What happens: who has called a server is remembered in one place per thread, the implicit
# reply capability.  dispatch waits for the next message, to see an event that it needs; the
# sender of that has called, too, and takes the place of the first client.
#
# Pattern: a nested wait.
# Guilty:  the wait of wait_for_event.  The reply to the client goes to the ticker, and the
#          client waits for ever.
# Cure:    answer first, or name an explicit reply capability: fixed.s.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov ebp, dword ptr [ebx + UTCB_MR1]
    cmp dword ptr [ebx + UTCB_MR0], OP_DOUBLE
    jne 1f
    call wait_for_event
1:  add ebp, ebp
    mov dword ptr [ebx + UTCB_MR0], ebp
    mov eax, 1
    ret

wait_for_event:
    l4_open_wait                            # GUILTY: somebody waits for a reply
    mov ecx, dword ptr [ebx + UTCB_MR1]     # which one
    mov dword ptr [event], ecx
    ret

.bss
event:      .space 4
