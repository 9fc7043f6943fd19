# Another server that answers whatever it is asked with no words at all.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    xor eax, eax                            # label 0, no words
    ret
