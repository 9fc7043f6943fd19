# Calls without end and without checks, for measurements: nothing but the round trip.
#
# The first thread sleeps; start a thread at words_0, words_4 or words_63 for calls of that
# many words.  `echo` is the other end for a thread of the same task, pingpong_echo.s for
# one of another.

.include "l4.inc"

SERVER      = 0x20 << L4_CAP_SHIFT

.text
_start:
    sleep_forever

words_0:
1:  l4_invoke SERVER|L4_CALL, 0, L4_TIMEOUT_NEVER
    jmp 1b

words_4:
1:  l4_invoke SERVER|L4_CALL, 4, L4_TIMEOUT_NEVER
    jmp 1b

words_63:
1:  l4_invoke SERVER|L4_CALL, 63, L4_TIMEOUT_NEVER
    jmp 1b

echo:
1:  l4_open_wait
2:  test eax, L4_TAG_ERROR
    jnz 1b
3:  and eax, L4_TAG_WORDS
    l4_answer_and_wait rax
    test eax, L4_TAG_ERROR
    jz 3b
    jmp 1b
