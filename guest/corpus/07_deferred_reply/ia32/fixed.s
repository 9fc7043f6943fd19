# Case 7, cured: the output array is kept outside of the UTCB until the reply is sent; the
# story is in buggy.s.

.include "corpus.inc"

LATER       = 1 << L4_CAP_SHIFT | L4_CAP_REPLY_BIT          # an explicit reply slot

.text
_start:
    own_utcb ebx
    l4_invoke LATER|L4_WAIT, 0, L4_TIMEOUT_NEVER            # a reader
    call begin_read
    l4_open_wait                                            # the device: it is ready
    call finish
    sleep_forever

# Fill in the output array.
begin_read:
    mov dword ptr [samples], 11       # the cure
    mov dword ptr [samples + UTCB_WORD], 22
    ret

# Answer the reader.
finish:
    mov dword ptr [ebx + UTCB_MR0], L4_EOK
    mov eax, dword ptr [samples]
    mov dword ptr [ebx + UTCB_MR1], eax
    mov eax, dword ptr [samples + UTCB_WORD]
    mov dword ptr [ebx + UTCB_MR2], eax
    l4_invoke LATER|L4_REPLY, 3, L4_TIMEOUT_SEND_ZERO
    ret

.bss
samples:    .space 4 * 2
