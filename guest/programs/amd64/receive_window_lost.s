# A server that opens its receive window once, and loses it in a nested call.
#
# Buffer registers say what may come with the next message, whichever that is.  The server
# sets them up before its first wait.  Then it serves its first client, and a nested call
# sets them up for its own reply: no capability is expected.  Nobody opens the window
# again, and the next client that brings a capability is told that its message was cut.
#
# Guilty: the wait at label 2, after collect.
# Cure:   receive_window_opened_again.s.

.include "l4.inc"
.include "items.inc"
.text
.include "receive_window.inc"

_start:
    own_utcb rbx
    open_window
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    call collect
    l4_answer_and_wait 0            # GUILTY: with the buffers of the nested call
    jmp 2b

.bss
collected:  .space 8
