# Case 7: a reply that is sent later, from a UTCB that has moved on.
#
# What happened: L4Re, l4re-core commit 9bcfa5612 (2026).  A handler may say "I answer
# later": the reply capability is kept, and the results are sent when they are there.  The
# framework kept scalars, but output arrays are filled in where they will be sent from, in
# the message registers, and nobody copied those.  The next message to the server was on
# top of them when the reply left.
#
# Pattern: a reply set up before other messages come.
# Guilty:  the reply in finish: mr[1] and mr[2] are the device's words by then, and go to the
#          reader, who was never meant to see them.
# Cure:    keep the array and copy it when the reply is sent: fixed.s.

.include "corpus.inc"

LATER       = 1 << L4_CAP_SHIFT | L4_CAP_REPLY_BIT          # an explicit reply slot

.text
_start:
    own_utcb rbx
    l4_invoke LATER|L4_WAIT, 0, L4_TIMEOUT_NEVER            # a reader
    call begin_read
    l4_open_wait                                            # the device: it is ready
    call finish
    sleep_forever

# Fill in the output array.
begin_read:
    mov qword ptr [rbx + UTCB_MR1], 11
    mov qword ptr [rbx + UTCB_MR2], 22
    ret

# Answer the reader.
finish:
    mov qword ptr [rbx + UTCB_MR0], L4_EOK
    l4_invoke LATER|L4_REPLY, 3, L4_TIMEOUT_SEND_ZERO       # GUILTY
    ret
