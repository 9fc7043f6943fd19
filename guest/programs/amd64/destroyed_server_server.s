# The server of destroyed_server: takes a request and never replies.

.include "l4.inc"

.text
_start:
    l4_open_wait
    sleep_forever
