# The cure of overtaken.s: the number is read before anything else is done.

.include "l4.inc"
.include "session.inc"

.text
_start:
    own_utcb ebx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR          # nobody took the reply: wait for somebody else
    jnz 1b
    mov ebp, esi                    # who asks
    call dispatch
    l4_answer_and_wait REPLY
    jmp 2b

# Serve the request of the client whose label is in ebp.
dispatch:
    cmp dword ptr [ebx + UTCB_MR0], OP_ADD
    je 1f
    cmp dword ptr [ebx + UTCB_MR0], OP_OPEN
    jne 3f
    inc dword ptr [sessions]
    mov dword ptr [newest], ebp
    jmp 3f
1:  mov edi, dword ptr [ebx + UTCB_MR1]
    cmp dword ptr [sessions], 1
    je 2f
    cmp dword ptr [newest], ebp
    je 2f
    call note_overtaken
2:  add dword ptr [sum], edi
    dec dword ptr [sessions]
3:  mov eax, dword ptr [sum]
    mov dword ptr [ebx + UTCB_MR0], eax
    ret

# Tell who reads logs.
note_overtaken:
    log overtaken
    ret

.include "log.inc"

.rodata
overtaken:  .asciz "server: overtaken\n"

.bss
sessions:   .space 4                 # that are open
newest:     .space 4                 # whose was opened last
sum:        .space 4
