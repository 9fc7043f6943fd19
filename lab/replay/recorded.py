"""A recorded run: what it takes to run it again, from its trace alone."""

from dataclasses import dataclass

from emu.timing import Timing, parse_timing
from guest.host import is_host_call
from guest.image import Image
from guest.scenario import Scenario
from kernel.errors import UsageError
from kernel.variation import Variation, changes, decode
from lab.replay.system import identify
from lab.timing import DEFAULT_TIMING
from lab.trace.format import Identity
from lab.trace.opening import damaged
from lab.trace.reader import Trace


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a run was made of; calls of a host are in the scenario."""

    scenario: Scenario
    images: dict[str, Image]  # by task
    timing: Timing  # ours by default, if this version does not know the one it had
    variation: Variation  # what was changed on purpose

    def identity(self, variation: Variation | None = None) -> Identity:
        """Say what the run is here, or with other changes."""
        kept = self.variation if variation is None else variation
        return identify(self.scenario, self.images, kept, timing=self.timing)


def recorded_run(trace: Trace) -> Recorded:
    """Read what a trace's run was made of; GuestError if what is in it cannot be run."""
    scenario, images = trace.scenario(), trace.head.images
    if list(images) != [task.name for task in scenario.tasks]:
        raise damaged(trace.path, "its programs are not those of its scenario")
    timing = parse_timing(trace.head.model) or DEFAULT_TIMING
    return Recorded(scenario, images, timing, _variation(trace))


def _variation(trace: Trace) -> Variation:
    lines = [line for line in trace.head.variation if not is_host_call(line)]
    room = trace.head.arch.utcb_size
    try:
        variation = tuple(map(decode, lines))
    except UsageError as error:
        raise damaged(trace.path, str(error)) from error
    if any(change.offset + len(change.data) > room for change in changes(variation)):
        raise damaged(trace.path, "a change of a run outside of a UTCB")
    return variation
