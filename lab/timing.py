"""The timing of a run if nobody says otherwise, and how a command says another one."""

from emu.timing import Timing

DEFAULT_TIMING = Timing("skylake")


def timing_options(timing: Timing) -> list[str]:
    """Give the options of the command line that say so, as far as it is not the default."""
    options = []
    if timing.cpu != DEFAULT_TIMING.cpu:
        options += ["--cpu", timing.cpu]
    if timing.model != DEFAULT_TIMING.model:
        options += ["--model", timing.model]
    if timing.front_end:
        options.append("--front-end")
    return options
