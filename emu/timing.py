"""A timing: whose cycles a run counts, and which terms its time is made of.

It is part of what a run is: with another timing, another run.  `str` gives a word for each
choice, which `parse_timing` reads back: ``skylake fast``.
"""

from dataclasses import dataclass

from emu.cycles.cpu import CPUS
from emu.errors import BadConfigError

FLAT = "flat"  # no CPU: every instruction costs one cycle
CPU_NAMES = (FLAT, *CPUS)

# How much is modelled: blocks alone; with the two-bit and loop predictor; with TAGE.
BLOCKS = "blocks"
FAST = "fast"
FULL = "full"
MODELS = (BLOCKS, FAST, FULL)

FRONT_END = "front-end"
TERMS = (FRONT_END,)  # what can be added to a model


@dataclass(frozen=True, slots=True)
class Timing:
    """What time is made of; any strings, `check_timing` says whether there is such a one."""

    cpu: str = FLAT  # one of CPU_NAMES
    model: str = FAST  # one of MODELS
    front_end: bool = False  # code that runs for the first time has to be decoded

    @property
    def terms(self) -> str:
        """The second word: the model and what is added to it, as in ``full+front-end``."""
        return "+".join((self.model, *([FRONT_END] if self.front_end else [])))

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
    if len(words) < 2:
        return None
    model, *added = words[1].split("+")
    if words[0] not in CPU_NAMES or model not in MODELS:
        return None
    timing = Timing(words[0], model, front_end=FRONT_END in added)
    return timing if timing.terms == words[1] else None
