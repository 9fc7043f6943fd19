"""Choices of a run: the probe that takes those of a variation, and 0 everywhere else.

Rule 1: a choice is found by who makes it, at which kind of point, and how often that was
asked before; so it means the same in every run that was the same so far.
"""

from kernel.objects import Irq
from kernel.state import Kernel
from kernel.variation import Choose, DelayIrq, Points, Variation

Key = tuple[int, str, int]  # number of a thread or IRQ, kind of point, ordinal


class Chosen:
    """Takes the options that it was given; `left` are those that were not asked for yet."""

    __slots__ = ("_asked", "invalid", "left")

    def __init__(self, options: dict[Key, int]) -> None:
        self.left = dict(options)
        self.invalid: list[Key] = []  # where there was no such option
        self._asked: dict[tuple[int, str], int] = {}

    def choose(self, point: str, options: int, subject: int) -> int:
        """Pick a way to go on."""
        who = subject, point
        ordinal = self._asked.get(who, 0)
        self._asked[who] = ordinal + 1
        if not self.left:
            return 0
        key = subject, point, ordinal
        option = self.left.pop(key, 0)
        if option < options:
            return option
        self.invalid.append(key)
        return 0

    def undefined_words(self, thread: int, words: memoryview) -> None:
        """Leave them as they are."""


def steer(kernel: Kernel, variation: Variation) -> Chosen | None:
    """Prepare a kernel that has not run yet for what a variation steers; give its probe."""
    options: dict[Key, int] = {}
    is_steered = False
    for each in variation:
        match each:
            case Points():
                kernel.grain, kernel.window = each.grain, each.window
                kernel.overrules = each.overrules
                is_steered = True
            case Choose():
                options[each.subject, each.point, each.ordinal] = each.option
                is_steered = True
            case DelayIrq():
                _delay(kernel, each)
            case _:
                pass
    if not is_steered:
        return None
    probe = Chosen(options)
    kernel.probe = probe
    return probe


def _delay(kernel: Kernel, delay: DelayIrq) -> None:
    own = sorted(entry for entry in kernel.arrivals if entry[1] == delay.irq)
    if isinstance(kernel.objects.get(delay.irq), Irq) and delay.ordinal < len(own):
        cycle, number = own[delay.ordinal]
        kernel.arrivals.remove((cycle, number))
        kernel.arrivals.append((cycle + delay.cycles, number))
        kernel.arrivals.sort()
