# Every IPC error that can be had without mapping memory, each once: codes 2 to 9 and 19.
#
# An IPC that fails has the error flag in its tag, and the reason in the error word of the
# UTCB; a reason with bit 0 set befell the receive phase.  The main thread provokes, with
# the help of threads that run before it (their priority is higher) and block at once:
#
#   sleeper     receives from itself for ever: nobody can send to it
#   sender      sends to sleeper, without a timeout; is cancelled
#   receiver    receives from sleeper, without a timeout; is cancelled
#   acceptor    waits for anybody, with no buffer to receive capabilities
#   victim      (a task of its own) touches address 0 and has no pager, so it is killed
#
# Each thread leaves the reason where the main thread prints it at the end.

.include "l4.inc"

SLEEPER     = 0x20 << L4_CAP_SHIFT
SENDER      = 0x21 << L4_CAP_SHIFT
RECEIVER    = 0x22 << L4_CAP_SHIFT
ACCEPTOR    = 0x23 << L4_CAP_SHIFT
VICTIM      = 0x24 << L4_CAP_SHIFT
EMPTY       = 0x25 << L4_CAP_SHIFT

EX_REGS     = L4_PROTO_THREAD << L4_TAG_LABEL_SHIFT | 3     # mr[0..2]
ONE_ITEM    = 1 << L4_TAG_ITEMS_SHIFT | 1                   # mr[0], and an item in mr[1..2]
MAP_ITEM    = 8
OUR_THREAD  = L4_CAP_THREAD | 3 << 4 | L4_RIGHT_R           # an object flexpage

WITHIN_1MS  = 1000                                          # to receive; to send: never

# Keep the reason why the invocation just made failed; 0 if it did not.
.macro keep_reason code
    mov ecx, \code
    call keep
.endm

# Abort the IPC that the thread behind a capability is blocked in.
.macro cancel thread
    mov dword ptr [ebx + UTCB_MR0], L4_THREAD_EX_REGS | L4_EX_REGS_CANCEL
    mov dword ptr [ebx + UTCB_MR1], -1                      # go on where it is,
    mov dword ptr [ebx + UTCB_MR2], -1                      # on the stack it has
    l4_invoke \thread|L4_CALL, EX_REGS, L4_TIMEOUT_NEVER
.endm

.macro report code, meaning
    lea ecx, [reasons]
    mov eax, dword ptr [ecx + 4 * \code]
    call log_decimal
    log \meaning
.endm

.text
_start:
    own_utcb ebx

    # 2: sleeper is not ready to receive, and we do not wait for it.
    l4_invoke SLEEPER|L4_SEND, 0, L4_TIMEOUT_SEND_ZERO
    keep_reason L4_IPC_SEND_TIMEOUT

    # 3: sleeper sends nothing.
    l4_invoke SLEEPER|L4_RECEIVE, 0, WITHIN_1MS
    keep_reason L4_IPC_RECEIVE_TIMEOUT

    # 4: there is nothing behind this capability.
    l4_invoke EMPTY|L4_SEND, 0, L4_TIMEOUT_NEVER
    keep_reason L4_IPC_NOT_EXISTENT

    # 5: there is a thread behind this one, but it is dead and will never send.
    l4_invoke VICTIM|L4_RECEIVE, 0, WITHIN_1MS
    keep_reason L4_IPC_RECEIVE_NOT_EXISTENT

    # 6 and 7: the threads are blocked in their IPC until we break it off.
    cancel SENDER
    cancel RECEIVER

    # 8 here and 9 at the acceptor: the capability in our message fits no buffer.
    mov dword ptr [ebx + UTCB_MR0], 42
    mov dword ptr [ebx + UTCB_MR1], MAP_ITEM
    mov dword ptr [ebx + UTCB_MR2], OUR_THREAD
    l4_invoke ACCEPTOR|L4_SEND, ONE_ITEM, L4_TIMEOUT_NEVER
    keep_reason L4_IPC_SEND_CUT

    # 19: slots for reply capabilities take memory of the kernel, a page for each 1024 of
    # them, and there is an end to it.
1:  mov edi, dword ptr [slot]
    or edi, L4_CAP_REPLY_BIT | L4_WAIT
    l4_invoke edi, 0, L4_TIMEOUT_RECEIVE_ZERO
    keep_reason L4_IPC_NO_REPLY_CAP
    add dword ptr [slot], 1024 << L4_CAP_SHIFT
    cmp dword ptr [reasons + 4 * L4_IPC_NO_REPLY_CAP], L4_IPC_NO_REPLY_CAP
    jne 1b

    report L4_IPC_SEND_TIMEOUT,          send_timeout
    report L4_IPC_RECEIVE_TIMEOUT,       receive_timeout
    report L4_IPC_NOT_EXISTENT,          not_existent
    report L4_IPC_RECEIVE_NOT_EXISTENT,  receive_not_existent
    report L4_IPC_SEND_CANCELLED,        send_cancelled
    report L4_IPC_RECEIVE_CANCELLED,     receive_cancelled
    report L4_IPC_SEND_CUT,              send_cut
    report L4_IPC_RECEIVE_CUT,           receive_cut
    report L4_IPC_NO_REPLY_CAP,          no_reply_cap
    sleep_forever

sleeper:
    sleep_forever

sender:
    l4_invoke SLEEPER|L4_SEND, 0, L4_TIMEOUT_NEVER
    keep_reason L4_IPC_SEND_CANCELLED
    sleep_forever

receiver:
    l4_invoke SLEEPER|L4_RECEIVE, 0, L4_TIMEOUT_NEVER
    keep_reason L4_IPC_RECEIVE_CANCELLED
    sleep_forever

acceptor:
    own_utcb ebx
    mov dword ptr [ebx + UTCB_BDR], 0       # all buffers from br[0] on,
    mov dword ptr [ebx + UTCB_BR0], 0       # and that says: there are none
    l4_open_wait
    keep_reason L4_IPC_RECEIVE_CUT
    sleep_forever

# Keep the reason for line ecx, if the tag in eax says that there is one.
keep:
    test eax, L4_TAG_ERROR
    jz 1f
    own_utcb eax
    mov edx, dword ptr [eax + UTCB_ERROR]
    and edx, 0x1f
    lea eax, [reasons]
    mov dword ptr [eax + ecx*4], edx
1:  ret

.include "log.inc"

.rodata
send_timeout:           .asciz ": send timeout\n"
receive_timeout:        .asciz ": receive timeout\n"
not_existent:           .asciz ": not existent\n"
receive_not_existent:   .asciz ": not existent, in the receive phase\n"
send_cancelled:         .asciz ": send cancelled\n"
receive_cancelled:      .asciz ": receive cancelled\n"
send_cut:               .asciz ": message cut, seen by the sender\n"
receive_cut:            .asciz ": message cut, seen by the receiver\n"
no_reply_cap:           .asciz ": no such reply slot\n"

.bss
reasons:                .space 4 * 20
slot:       .space 4
