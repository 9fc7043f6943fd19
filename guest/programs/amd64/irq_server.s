# A server that is driven by an interrupt as well as by its clients.
#
# Both come through one open wait and are told apart by their labels.  A tick of the timer
# is a message without a word: tag 0, and the label that the IRQ was bound with, exactly.  A
# client's label is that of the gate, with rights in the low bits.  There is nobody to reply
# to after a tick.
#
# A second thread owns an interrupt of its own: it binds the IRQ to itself, and receives from
# it and from nobody else.

.include "l4.inc"

BUTTON      = 0x31 << L4_CAP_SHIFT

TIMER_LABEL  = 0x7100                                       # as in the scenario
BUTTON_LABEL = 0x8200

BIND        = L4_PROTO_KOBJECT << L4_TAG_LABEL_SHIFT | 1 << L4_TAG_ITEMS_SHIFT | 2
END_OF_IRQ  = L4_PROTO_IRQ << L4_TAG_LABEL_SHIFT | 1        # mr[0]
REPLY       = 1                                             # label 0, mr[0]

MAP_ITEM    = 8
WATCHER     = 0x32 << L4_CAP_SHIFT | 3 << 4 | L4_RIGHT_R    # an object flexpage

.text
_start:
    own_utcb rbx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
    cmp rsi, TIMER_LABEL
    jne 3f
    inc qword ptr [rip + ticks]
    jmp 1b                          # nobody waits for a reply
3:  mov rcx, qword ptr [rip + ticks]
    mov qword ptr [rbx + UTCB_MR0], rcx
    l4_answer_and_wait REPLY
    jmp 2b

watcher:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], L4_IRQ_BIND
    mov qword ptr [rbx + UTCB_MR1], BUTTON_LABEL
    mov qword ptr [rbx + UTCB_MR2], MAP_ITEM
    mov qword ptr [rbx + UTCB_MR3], WATCHER
    l4_invoke BUTTON|L4_CALL, BIND, L4_TIMEOUT_NEVER
4:  mov qword ptr [rbx + UTCB_MR0], L4_IRQ_EOI
    l4_invoke BUTTON|L4_CALL, END_OF_IRQ, L4_TIMEOUT_NEVER
    mov qword ptr [rip + label], rsi
    log pressed
    mov rcx, qword ptr [rip + label]
    log_number rcx
    log newline
    jmp 4b

.include "log.inc"

.rodata
pressed:    .asciz "watcher: button, label "
newline:    .asciz "\n"

.bss
ticks:      .space 8
label:      .space 8
