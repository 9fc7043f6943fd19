# The client of cases 5 and 18: it gives the server its capability to a doubler.

.include "corpus.inc"

DOUBLER     = 0x21 << L4_CAP_SHIFT
MAP         = 8                             # a map item (ABI 4.9)
OBJECT      = 0x30                          # a flexpage of one capability
ONE_ITEM    = PROTO_SERVER << L4_TAG_LABEL_SHIFT | 1 << L4_TAG_ITEMS_SHIFT

.text
_start:
    own_utcb rbx
    mov qword ptr [rbx + UTCB_MR0], MAP
    mov qword ptr [rbx + UTCB_MR1], DOUBLER | OBJECT | L4_RIGHT_R | L4_RIGHT_W | L4_RIGHT_S
    l4_invoke SERVER|L4_SEND, ONE_ITEM, L4_TIMEOUT_NEVER
    sleep_forever
