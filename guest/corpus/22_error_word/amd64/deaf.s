# Somebody who listens to nobody.

.include "corpus.inc"

.text
_start:
    sleep_forever
