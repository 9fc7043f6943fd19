"""Minimising: the fewest choices that still make a run fail in the same way.

That is ddmin (Zeller and Hildebrandt, IEEE TSE 28(2), 2002): no single choice of what comes
out can be left out.
"""

from collections.abc import Callable

from lab.explore.job import Choices


def minimise(choices: Choices, fails: Callable[[Choices], bool]) -> Choices:
    """Leave out choices as long as a run with the others fails.

    `fails` is asked for every subset that is tried; it is true for `choices` themselves.
    """
    if fails(()):
        return ()
    parts = 2
    while len(choices) > 1:
        size = -(-len(choices) // parts)
        starts = range(0, len(choices), size)
        for start in starts:
            rest = choices[:start] + choices[start + size :]
            if rest and fails(rest):
                choices = rest
                parts = max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(choices))
    return choices
