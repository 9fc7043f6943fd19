# What a program tells the kernel debugger: names for its objects, and text.
#
# Names are for people: traces show them, and the program can ask for them.

.include "l4.inc"

GATE        = 0x20 << L4_CAP_SHIFT

SET_NAME    = L4_PROTO_DEBUGGER << L4_TAG_LABEL_SHIFT | 1 << L4_TAG_ITEMS_SHIFT | 3
BY_ITEM     = L4_PROTO_DEBUGGER << L4_TAG_LABEL_SHIFT | 1 << L4_TAG_ITEMS_SHIFT | 1
BY_ID       = L4_PROTO_DEBUGGER << L4_TAG_LABEL_SHIFT | 2
PRINT       = L4_PROTO_DEBUGGER << L4_TAG_LABEL_SHIFT | 5

MAP_ITEM    = 8
OBJECT      = 3 << 4 | L4_RIGHT_R                           # of an object flexpage

.text
_start:
    own_utcb ebx

    # Call the gate "ask me": the text in mr[1..2], then the item.
    mov dword ptr [ebx + UTCB_MR0], L4_DEBUGGER_SET_NAME
    mov dword ptr [ebx + UTCB_MR1], 0x206b7361              # "ask "
    mov dword ptr [ebx + UTCB_MR2], 0x656d                  # "me"
    mov dword ptr [ebx + UTCB_MR3], MAP_ITEM
    mov dword ptr [ebx + UTCB_MR4], GATE|OBJECT
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, SET_NAME, L4_TIMEOUT_NEVER

    # Its global id leads to the name.
    mov dword ptr [ebx + UTCB_MR0], L4_DEBUGGER_GLOBAL_ID
    mov dword ptr [ebx + UTCB_MR1], MAP_ITEM
    mov dword ptr [ebx + UTCB_MR2], GATE|OBJECT
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, BY_ITEM, L4_TIMEOUT_NEVER
    mov ecx, dword ptr [ebx + UTCB_MR0]
    mov dword ptr [ebx + UTCB_MR1], ecx
    mov dword ptr [ebx + UTCB_MR0], L4_DEBUGGER_NAME_OF_ID
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, BY_ID, L4_TIMEOUT_NEVER

    # Print it, through the debugger: the text begins at mr[2].
    mov ecx, dword ptr [ebx + UTCB_MR0]
    mov edx, dword ptr [ebx + UTCB_MR1]
    mov dword ptr [ebx + UTCB_MR2], ecx
    mov dword ptr [ebx + UTCB_MR3], edx
    mov byte ptr [ebx + UTCB_MR2 + 6], 10                   # a line end
    mov dword ptr [ebx + UTCB_MR1], 7
    mov dword ptr [ebx + UTCB_MR0], L4_DEBUGGER_OUT_STRING
    l4_invoke L4_CAP_DEBUGGER|L4_CALL, PRINT, L4_TIMEOUT_NEVER
    sleep_forever
