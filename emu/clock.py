"""The clock of a machine: how much time and how many instructions have passed."""

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Clock:
    """Two counters; everything that moves them is in `stepper` and `machine`."""

    ticks: int = 0  # 1/64 cycle each
    instructions: int = 0  # completed, of all contexts
