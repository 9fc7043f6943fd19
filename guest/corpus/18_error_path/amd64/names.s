# The name server of case 18: it knows no names.

.include "corpus.inc"

.text
_start:
    server_loop dispatch

dispatch:
    mov rax, -L4_ENOENT << L4_TAG_LABEL_SHIFT
    ret
