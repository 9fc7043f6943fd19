"""The clock of a machine: how much time and how many instructions have passed."""

LAST_CYCLE = 1 << 56  # two years at 1 GHz; ticks fit a signed word of 64 bits


class Clock:
    """Two counters; a runner moves them, and what `stepper` and `machine` account for."""

    __slots__ = ("instructions", "ticks")

    def __init__(self) -> None:
        self.ticks = 0  # 1/64 cycle each
        self.instructions = 0  # completed, of all contexts
