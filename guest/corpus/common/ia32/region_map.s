# The region map of cases 2 and 3: it knows two regions, 0x10000-0x1ffff and 0x40000-0x4ffff.
#
# OP_GET: mr[1] = address.  Reply: as many regions as end behind it, start and end of each
# from mr[0] on, their number in the label.
# OP_RESERVE: mr[1] = address.  Reply: mr[0] = the same.

.include "corpus.inc"
.include "regions.inc"

.text
_start:
    server_loop dispatch

dispatch:
    cmp dword ptr [ebx + UTCB_MR0], OP_GET
    jne 3f
    mov ecx, dword ptr [ebx + UTCB_MR1]
    cmp ecx, 0x4ffff
    ja 2f
    cmp ecx, 0x1ffff
    ja 1f
    mov dword ptr [ebx + UTCB_MR0], 0x10000
    mov dword ptr [ebx + UTCB_MR1], 0x1ffff
    mov dword ptr [ebx + UTCB_MR2], 0x40000
    mov dword ptr [ebx + UTCB_MR3], 0x4ffff
    mov eax, 2 << L4_TAG_LABEL_SHIFT | 4
    ret
1:  mov dword ptr [ebx + UTCB_MR0], 0x40000
    mov dword ptr [ebx + UTCB_MR1], 0x4ffff
    mov eax, 1 << L4_TAG_LABEL_SHIFT | 2
    ret
2:  xor eax, eax
    ret
3:  mov ecx, dword ptr [ebx + UTCB_MR1]
    mov dword ptr [ebx + UTCB_MR0], ecx
    mov eax, 1
    ret
