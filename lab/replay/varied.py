"""A machine that changes what a variation says, where it says, and runs on.

A run with a variation is another run: `lab.replay.system.identify` has it in the identity.
"""

from collections.abc import Callable

from emu.context import Context
from emu.machine import Machine, MachineConfig
from emu.timing import Timing
from emu.traps import STEPPED
from guest.image import Image
from guest.scenario import Scenario
from kernel.recorder import Recorder
from kernel.state import Kernel
from kernel.variation import Change, OverrideRead, Variation
from lab.replay.system import DEFAULT_TIMING, System, boot, configure


class VariedMachine(Machine):
    """Runs a variation: stops at the position of each change and makes it.

    `utcb_of` gives the physical address of a thread's UTCB.
    """

    __slots__ = ("_changes", "utcb_of")

    def __init__(self, config: MachineConfig, variation: Variation = ()) -> None:
        super().__init__(config)
        self._changes: list[Change] = []
        self.utcb_of: Callable[[int], int | None] = lambda thread: None
        self.vary(variation)

    def vary(self, variation: Variation) -> None:
        """Run this variation from now on."""
        self._changes = sorted(variation, key=lambda each: -each.position)

    def run(self, context: Context, deadline: int) -> int:
        """Run `context` until it traps or cycle `deadline` is reached, and say which."""
        changes = self._changes
        while changes:
            change = changes[-1]
            if self.instructions > change.position:
                changes.pop()  # nothing ran there
                continue
            if self.instructions < change.position:
                trap = self.run_until_position(context, deadline, change.position)
                if trap != STEPPED:
                    return trap
            if context.number != change.thread:
                break
            changes.pop()
            trap = self._change(context, deadline, change)
            if trap != STEPPED:
                return trap
        return super().run(context, deadline)

    def _change(self, context: Context, deadline: int, change: Change) -> int:
        base = self.utcb_of(change.thread)
        if base is None:
            return STEPPED
        at, size = base + change.offset, len(change.data)
        before = self.read_physical(at, size)
        self.write_physical(at, change.data)
        if not isinstance(change, OverrideRead):
            return STEPPED
        position = self.instructions
        trap = STEPPED
        # A repetition is stepped one by one; all of it is one instruction.
        while trap == STEPPED and self.instructions == position:
            trap = self.step(context, deadline)
        after = self.read_physical(at, size)
        kept = bytes(
            old if new == given else new
            for old, new, given in zip(before, after, change.data, strict=True)
        )
        self.write_physical(at, kept)
        return trap


def boot_varied(
    scenario: Scenario,
    images: dict[str, Image],
    variation: Variation,
    *,
    recorder: Recorder | None = None,
    timing: Timing = DEFAULT_TIMING,
) -> System:
    """Make a system of a scenario that will run with these changes; as `boot` does."""
    machine = VariedMachine(configure(scenario, timing=timing), variation)
    system = boot(scenario, images, recorder=recorder, machine=machine)
    find_utcbs(machine, system.kernel)
    return system


def find_utcbs(machine: VariedMachine, kernel: Kernel) -> None:
    """Tell a machine where the UTCBs of its threads are."""
    threads = kernel.threads

    def utcb_of(number: int) -> int | None:
        thread = threads.get(number)
        return thread.utcb_frame if thread is not None and thread.is_bound() else None

    machine.utcb_of = utcb_of
