"""outside-message-registers: a store that hits word 63, the UTCB's own address.

Buffer registers lie behind it and are stored to through the same pointer; nobody has to
store here.  Whoever puts the whole UTCB back stores the value that is there.
"""

from kernel.utcb import SELF
from lab.checker.candidate import Candidate, Candidates
from lab.checker.finding import Rule
from lab.checker.shadow import Shadow
from lab.checker.stream import Access


def check(candidates: Candidates, shadow: Shadow, access: Access) -> None:
    """Look at a store to the thread's own UTCB."""
    word = shadow.word
    first, last = SELF * word, (SELF + 1) * word
    end = access.offset + access.size
    if access.offset >= last or end <= first:
        return
    start, stop = max(access.offset, first), min(end, last)
    data = access.value.to_bytes(access.size, "little")
    actual = data[start - access.offset : stop - access.offset]
    expected = bytes(shadow.memory[start:stop])
    if actual == expected:
        return
    candidates.add(
        Candidate(
            Rule.OUTSIDE_MESSAGE_REGISTERS,
            access.thread,
            access.position,
            access.where,
            start,
            stop - start,
            is_write=True,
            expected=expected,
            actual=actual,
        )
    )
