# Innocent: a proxy stores a default answer, forwards the request by a call, and replies with
# whatever is in the message registers then.
#
# The store is overwritten before it is sent, which is what it is for: it stays if the other
# server answers with nothing.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov dword ptr [ebx + UTCB_MR2], 0       # the default, in case that nothing comes back
    l4_invoke OTHER|L4_CALL, TELL_3, L4_TIMEOUT_NEVER
    mov eax, 3
    ret
