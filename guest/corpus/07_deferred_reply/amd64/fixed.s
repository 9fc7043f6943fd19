# Case 7, cured: the output array is kept outside of the UTCB until the reply is sent; the
# story is in buggy.s.

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
    mov qword ptr [rip + samples], 11       # the cure
    mov qword ptr [rip + samples + UTCB_WORD], 22
    ret

# Answer the reader.
finish:
    mov qword ptr [rbx + UTCB_MR0], L4_EOK
    mov rax, qword ptr [rip + samples]
    mov qword ptr [rbx + UTCB_MR1], rax
    mov rax, qword ptr [rip + samples + UTCB_WORD]
    mov qword ptr [rbx + UTCB_MR2], rax
    l4_invoke LATER|L4_REPLY, 3, L4_TIMEOUT_SEND_ZERO
    ret

.bss
samples:    .space 8 * 2
