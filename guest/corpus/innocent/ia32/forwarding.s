# Innocent: a server forwards each request to another, word for word, and the answer to the
# client.
#
# It sends words that it has not written itself, from one partner to the other.  That is its
# task.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    l4_invoke OTHER|L4_CALL, TELL_2, L4_TIMEOUT_NEVER
    mov eax, 1
    ret
