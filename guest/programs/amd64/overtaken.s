# A server that does IPC in the middle of a request, but only if somebody was overtaken.
#
# A client opens a session and then adds a number in it.  When another client has opened one
# in between, and both are still open, the server writes a line to the log before it has
# read the number: and log_text builds its message in the registers that the request came
# in.  Whoever runs the two clients one after the other never sees it, and that is what
# happens unless a time slice ends twice at the wrong places.
#
# Guilty: the load of mr[1] after the call of note_overtaken.
# Cure:   overtaken_read_first.s.

.include "l4.inc"
.include "session.inc"

.text
_start:
    own_utcb rbx
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR          # nobody took the reply: wait for somebody else
    jnz 1b
    mov r12, rsi                    # who asks
    call dispatch
    l4_answer_and_wait REPLY
    jmp 2b

# Serve the request of the client whose label is in r12.
dispatch:
    cmp qword ptr [rbx + UTCB_MR0], OP_ADD
    je 1f
    cmp qword ptr [rbx + UTCB_MR0], OP_OPEN
    jne 3f
    inc qword ptr [rip + sessions]
    mov qword ptr [rip + newest], r12
    jmp 3f
1:  cmp qword ptr [rip + sessions], 1
    je 2f
    cmp qword ptr [rip + newest], r12
    je 2f
    call note_overtaken
2:  mov r13, qword ptr [rbx + UTCB_MR1]     # GUILTY: if that was called, the text's length
    add qword ptr [rip + sum], r13
    dec qword ptr [rip + sessions]
3:  mov rax, qword ptr [rip + sum]
    mov qword ptr [rbx + UTCB_MR0], rax
    ret

# Tell who reads logs.
note_overtaken:
    log overtaken
    ret

.include "log.inc"

.rodata
overtaken:  .asciz "server: overtaken\n"

.bss
sessions:   .space 8                 # that are open
newest:     .space 8                 # whose was opened last
sum:        .space 8
