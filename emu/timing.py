"""A timing: whose cycles a run counts, and which terms its time is made of.

It is part of what a run is: with another timing, another run.  `str` gives a word for each
choice, which `parse_timing` reads back: ``skylake fast``.
"""

from dataclasses import dataclass

from emu.cycles.cpu import CPUS
from emu.errors import BadConfigError

FLAT = "flat"  # no CPU: every instruction costs one cycle
CPU_NAMES = (FLAT, *CPUS)

FAST = "fast"
MODELS = (FAST,)


@dataclass(frozen=True, slots=True)
class Timing:
    """What time is made of; any strings, `check_timing` says whether there is such a one."""

    cpu: str = FLAT  # one of CPU_NAMES
    model: str = FAST  # one of MODELS

    @property
    def terms(self) -> str:
        """The second word: the model."""
        return self.model

    def __str__(self) -> str:
        return f"{self.cpu} {self.terms}"


DEFAULT = Timing()


def check_timing(timing: Timing) -> None:
    """Raise BadConfigError if a choice is none of those there are."""
    if timing.cpu not in CPU_NAMES:
        raise BadConfigError(f"cpu {timing.cpu[:40]!r}, none of {', '.join(CPU_NAMES)}")
    if timing.model not in MODELS:
        raise BadConfigError(f"model {timing.model[:40]!r}, none of {', '.join(MODELS)}")


def parse_timing(text: str) -> Timing | None:
    """Read the words at the beginning of `text`; None if they are no timing there is."""
    words = text.split()[:2]
    if len(words) < 2 or words[0] not in CPU_NAMES or words[1] not in MODELS:
        return None
    return Timing(words[0], words[1])
