# The sender of fpu_transfer: sends the state of its FPU along, three times.

.include "l4.inc"

RECEIVER    = 0x20 << L4_CAP_SHIFT          # with the right S
WEAK        = 0x21 << L4_CAP_SHIFT          # without it

.text
_start:
    mov eax, 42
    movd xmm0, eax
    l4_invoke RECEIVER|L4_CALL, L4_TAG_TRANSFER_FPU, L4_TIMEOUT_NEVER
    l4_invoke RECEIVER|L4_CALL, L4_TAG_TRANSFER_FPU, L4_TIMEOUT_NEVER
    l4_invoke WEAK|L4_CALL, L4_TAG_TRANSFER_FPU, L4_TIMEOUT_NEVER
    sleep_forever
