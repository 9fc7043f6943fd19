# Innocent: a server looks for the end of a text in the message, 16 bytes at a time, as strlen
# does.
#
# The step reads bytes behind the message.  They are looked at, but the text ends before
# them: whatever they are does not matter.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    movups xmm0, xmmword ptr [rbx + UTCB_MR1]               # 42: one character, and zeros
    pxor xmm1, xmm1
    pcmpeqb xmm0, xmm1
    pmovmskb eax, xmm0
    bsf eax, eax                            # length 1
    mov rcx, qword ptr [rbx + UTCB_MR1]
    add rcx, rcx
    add rcx, rax
    dec rcx
    mov qword ptr [rbx + UTCB_MR0], rcx
    mov eax, 1
    ret
