"""Probing: a run with hidden calls or other reply lengths, and where a call could be hidden.

What a probing run shows is not what the programs do: it is what would happen if a function
with an innocent name did IPC there.
"""

from collections.abc import Sequence
from typing import NamedTuple

from emu.context import Context
from emu.machine import Machine, MachineConfig
from emu.memory import PAGE
from emu.recorder import Access
from emu.traps import STEPPED, SYSTEM_CALL
from guest.image import Image
from guest.scenario import Scenario
from kernel import abi, utcb
from kernel.abi import CAP_OPERATION, OP_REPLY, TAG_WORDS
from kernel.events import Outcome
from kernel.kernel import end, run
from kernel.port import SELECTOR, TAG, TIMEOUT
from kernel.state import Kernel
from kernel.variation import InjectIpc, ReplyWords, Variation
from lab.checker.candidate import Candidate
from lab.recorder import RunRecorder
from lab.replay.attribute import Watch, WatchedMachine
from lab.replay.may_ipc import break_at_functions
from lab.replay.system import System, boot, configure, identify

MOST_SITES = 200  # of a run; the first ones
_LOG_LABEL = (abi.Protocol.LOG << abi.TAG_LABEL_SHIFT) & (1 << 64) - 1


class Site(NamedTuple):
    """A place where a call could be hidden: before this position, of this thread."""

    position: int
    thread: int
    ip: int
    why: str


class Probed(NamedTuple):
    """What came of a probing run; it owns its system, which is to be closed."""

    system: System
    outcome: Outcome
    console: str
    candidates: list[Candidate]
    trace_hash: str
    cycles: int


class ProbingMachine(WatchedMachine):
    """Lets threads make calls that they do not know of, and replies have another length."""

    __slots__ = ("_kept", "_lengths", "_pending", "kernel")

    def __init__(self, config: MachineConfig, variation: Variation) -> None:
        super().__init__(config)
        injections = [each for each in variation if isinstance(each, InjectIpc)]
        self._pending = sorted(injections, key=lambda each: -each.position)
        self._lengths = {
            each.thread: each.words for each in variation if isinstance(each, ReplyWords)
        }
        self._kept: dict[int, tuple[int, list[int]]] = {}  # by context: trap and registers
        self.kernel: Kernel | None = None

    def run(self, context: Context, deadline: int) -> int:
        """Run `context` until it traps or cycle `deadline` is reached, and say which."""
        kept = self._kept.pop(context.number, None)
        if kept is not None:
            # The hidden call is done: the program goes on as if there had been none.
            context.trap, registers = kept
            for number, value in enumerate(registers):
                context.registers[number] = value
        pending = self._pending
        while pending and pending[-1].position < self.instructions:
            pending.pop()  # another thread ran there
        if pending and pending[-1].thread == context.number:
            trap = self.run_until_position(context, deadline, pending[-1].position)
        else:
            trap = Machine.run(self, context, deadline)
        feeder = self.feeder
        if feeder is not None:
            feeder.drain()
        if trap == STEPPED:
            pending.pop()
            self._inject(context)
            if feeder is not None:
                feeder.hidden_call(context)
            return SYSTEM_CALL
        if trap == SYSTEM_CALL:
            self._shorten(context)
            if feeder is not None:
                feeder.call(context)
        return trap

    def _inject(self, context: Context) -> None:
        assert self.kernel is not None, "it was booted"
        self._kept[context.number] = context.trap, [int(each) for each in context.registers]
        thread = self.kernel.threads[context.number]
        thread.utcb.store(utcb.MR, abi.VCON_GET_ATTR)
        mask = self.kernel.arch.mask
        context.registers[TAG] = (_LOG_LABEL | 1) & mask
        context.registers[SELECTOR] = abi.CAP_LOG << abi.CAP_SHIFT | abi.CALL
        context.registers[TIMEOUT] = 0

    def _shorten(self, context: Context) -> None:
        words = self._lengths.get(context.number)
        if words is not None and int(context.registers[SELECTOR]) & CAP_OPERATION & OP_REPLY:
            tag = int(context.registers[TAG])
            context.registers[TAG] = tag & ~TAG_WORDS | words


def probe(
    scenario: Scenario, images: dict[str, Image], variation: Variation, budget: int
) -> Probed:
    """Run with a variation, and check the use of UTCBs."""
    machine = ProbingMachine(configure(scenario), variation)
    recorder = RunRecorder(identify(scenario, images, variation))
    watch = Watch(scenario, machine)
    system = boot(scenario, images, recorder=recorder, machine=machine, variation=variation)
    machine.kernel = system.kernel
    watch.begin(system, recorder)
    recorder.names = system.names
    outcome = run(system.kernel, budget)
    end(system.kernel, outcome)
    candidates = [each for each in watch.candidates() if not each.is_note]
    return Probed(
        system, outcome, recorder.console(), candidates, recorder.trace_hash(), machine.now
    )


class _SiteMachine(Machine):
    """Notes where pages are touched for the first time, and where functions are entered."""

    __slots__ = ("_entered", "_records", "_seen", "_touches", "sites")

    def __init__(self, config: MachineConfig) -> None:
        super().__init__(config)
        self.sites: list[Site] = []
        self._records: list[Access] = []
        self._seen: set[tuple[int, int]] = set()
        self._entered: dict[tuple[int, int], str] = {}

    def begin(self, system: System, globs: Sequence[str], *, touches: bool) -> None:
        """Look for sites from now on: calls of functions by these names, and first touches."""
        programs = [(task.number, system.images[name]) for name, task in system.tasks.items()]
        self._entered = break_at_functions(self, programs, globs)
        frames = self.frames if touches else range(0)
        self._touches = self.watch(range(frames.start, frames.stop), self._records.extend)

    def run(self, context: Context, deadline: int) -> int:
        """Run `context` until it traps or cycle `deadline` is reached, and say which."""
        while True:
            trap = super().run(context, deadline)
            self._take([*self._records, *self._touches.drain()])
            self._records.clear()
            if trap != STEPPED:
                return trap
            position = self.instructions
            name = self._entered.get((context.space.number, context.ip))
            if name is not None:
                self._add(Site(position, context.number, context.ip, f"call of {name}"))
            self.pass_breaks(position)

    def _take(self, records: list[Access]) -> None:
        for record in records:
            page = record.address & -PAGE
            if (record.context, page) not in self._seen:
                self._seen.add((record.context, page))
                site = Site(record.position, record.context, record.ip, "first touch of a page")
                self._add(site)

    def _add(self, site: Site) -> None:
        if len(self.sites) < MOST_SITES:
            self.sites.append(site)


def find_sites(
    scenario: Scenario, images: dict[str, Image], budget: int, *, touches: bool, calls: bool
) -> list[Site]:
    """List the places where a run might call: in its order, at most MOST_SITES."""
    machine = _SiteMachine(configure(scenario))
    system = boot(scenario, images, machine=machine)
    try:
        machine.begin(system, scenario.functions.may_ipc if calls else (), touches=touches)
        run(system.kernel, budget)
        return sorted(machine.sites)
    finally:
        system.close()
