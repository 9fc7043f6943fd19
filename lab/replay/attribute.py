"""Attribution: a run that is watched, and its stream for the checker.

Rule 1: the run is the same as without.  What is watched is copied out between two blocks
and when the kernel is entered, and nothing goes back.
Rule 2: accesses come before the system call or event that follows them in the run.
"""

from collections.abc import Mapping

from emu.context import Context
from emu.machine import Machine, MachineConfig
from emu.recorder import (
    ADDRESS,
    CONTEXT,
    FIELDS,
    IP,
    KIND,
    LOW,
    PATH,
    POSITION,
    VALUE,
    WRITE,
)
from emu.recorder import Access as Record
from emu.timing import Timing
from emu.traps import SYSTEM_CALL
from emu.watch import Watch as Records
from guest.image import Image
from guest.scenario import Scenario
from kernel.events import Created, Deleted, Event, Invocation
from kernel.state import Kernel
from lab.checker.candidate import Candidate
from lab.checker.checker import Checker
from lab.checker.stream import Access, Arrival, Call, Chain, Where
from lab.recorder import Follower, RunRecorder
from lab.replay.system import DEFAULT_TIMING, System, configure

_PLACES = 1 << 16  # places that are kept


class WatchedMachine(Machine):
    """A machine whose accesses to UTCBs and system calls go to a feeder."""

    __slots__ = ("feeder",)

    def __init__(self, config: MachineConfig) -> None:
        super().__init__(config)
        self.feeder: Feeder | None = None

    def run(self, context: Context, deadline: int) -> int:
        """Run `context` until it traps or cycle `deadline` is reached, and say which."""
        trap = Machine.run(self, context, deadline)
        feeder = self.feeder
        if feeder is not None:
            feeder.drain()
            if trap == SYSTEM_CALL:
                feeder.call(context)
        return trap


class Feeder(Follower):
    """Feeds a checker with what a watched machine does."""

    __slots__ = (
        "_access",
        "_arrival",
        "_call_page",
        "_calls",
        "_frames",
        "_images",
        "_introduced",
        "_kernel",
        "_machine",
        "_owners",
        "_paths",
        "_places",
        "_recorder",
        "_size",
        "_unbound",
        "_watch",
        "checker",
    )

    def __init__(
        self,
        machine: WatchedMachine,
        kernel: Kernel,
        images: Mapping[int, Image],
        checker: Checker,
    ) -> None:
        self.checker = checker
        self._machine = machine
        self._kernel = kernel
        self._images = images  # by thread number
        self._size = kernel.arch.utcb_size
        self._call_page = kernel.arch.call_page
        self._owners: dict[int, int] = {}  # threads by the physical address of their UTCB
        self._introduced: set[int] = set()
        self._unbound = True
        self._paths: dict[tuple[int, int], tuple[tuple[int, ...], tuple[Chain, ...]]] = {}
        self._places: dict[tuple[int, ...], Where] = {}
        shared = machine.shared_frames
        addresses = range(shared.start, shared.stop)
        self._watch: Records = machine.watch(addresses, self.take)
        self._recorder = self._watch.recorder
        self._calls = self._recorder.calls
        self._arrival = Arrival()
        self._access = Access(0, 0, 0, 0, 0, 0, False, Where(0), 0)
        self.learn()
        machine.feeder = self

    def learn(self) -> None:
        """Take note of threads that have got a UTCB."""
        self._unbound = False
        for number, thread in self._kernel.threads.items():
            if number in self._introduced:
                continue
            if not thread.is_bound():
                self._unbound = True
                continue
            self._introduced.add(number)
            self._owners[thread.utcb_frame] = number
            content = self._machine.read_physical(thread.utcb_frame, self._size)
            self.checker.introduce(number, content)

    def drain(self) -> None:
        """Take what was recorded since the last time."""
        recorder = self._recorder
        if not recorder.used:
            return
        rows = recorder.rows
        for number in range(recorder.used):
            at = number * FIELDS
            kind = rows[at + KIND]
            self._feed(
                rows[at + POSITION],
                rows[at + CONTEXT],
                rows[at + IP],
                rows[at + ADDRESS],
                kind & (WRITE - 1),
                rows[at + VALUE],
                kind >= WRITE,
                rows[at + PATH],
                rows[at + LOW],
            )
        recorder.clear()

    def take(self, records: list[Record]) -> None:
        """Take records, in their order."""
        for position, thread, ip, address, size, value, is_write, path, low in records:
            self._feed(position, thread, ip, address, size, value, is_write, path, low)

    def _feed(
        self,
        position: int,
        thread: int,
        ip: int,
        address: int,
        size: int,
        value: int,
        is_write: bool,
        path: int,
        low: int,
    ) -> None:
        offset = address % self._size
        owner = self._owners.get(address - offset)
        if owner is None:
            return
        access = self._access
        access.position = position
        access.thread = thread
        access.owner = owner
        access.offset = offset
        access.size = size
        access.value = value
        access.is_write = is_write
        access.where = self._place(thread, path, ip)
        access.low = low
        self.checker.access(access)

    def call(self, context: Context) -> None:
        """Take note that a system call is about to be served."""
        number = context.number
        path = self._calls.path_at(number, context.sp)
        pc = self._machine.call_site(context)
        key = ~number, path, pc, context.ip
        where = self._places.get(key)
        if where is None:
            where = self._call_place(context, path, pc)
            self._keep(key, where)
        low = min(self._calls.take_low(number, path), where.depth)
        self.checker.call(
            Call(
                self._machine.instructions,
                self._machine.now,
                number,
                context.selector,
                context.tag,
                where,
                low,
            )
        )

    def transfer(
        self,
        cycle: int,
        position: int,
        sender: int,
        receiver: int,
        operation: int,
        via: int,
        tag: int,
        label: int,
        error: int,
        receiver_ip: int,
        payload: bytes,
        overwritten: bytes,
    ) -> None:
        """Take a message that has arrived."""
        arrival = self._arrival
        arrival.cycle = cycle
        arrival.position = position
        arrival.sender = sender
        arrival.receiver = receiver
        arrival.operation = operation
        arrival.via = via
        arrival.tag = tag
        arrival.label = label
        arrival.error = error
        arrival.receiver_ip = receiver_ip
        arrival.payload = payload
        arrival.overwritten = overwritten
        self.checker.transfer(arrival)

    def switch(self, following: int) -> None:
        """Take a switch of threads."""
        self.checker.switch(following)

    def event(self, event: Event) -> None:
        """Take an event, and what came before it."""
        self.checker.event(event)
        if isinstance(event, Created):
            self._unbound = True
        elif isinstance(event, Deleted):
            self._introduced.discard(event.target)
            for base in [base for base, n in self._owners.items() if n == event.target]:
                del self._owners[base]
        elif self._unbound and isinstance(event, Invocation):
            self.learn()

    def _call_place(self, context: Context, path: int, pc: int) -> Where:
        number = context.number
        calls, chains = self._path(number, path)
        if self._call_page and calls and context.ip & -4096 == self._call_page:
            # The kernel's own page is no frame of the program's.
            last = len(calls) - 1
            return Where(pc, calls[:last], chains[:last], chains[last])
        # The call itself lies in front of that address.
        return Where(pc, calls, chains, self._chain(number, pc - 1))

    def _place(self, thread: int, path: int, pc: int) -> Where:
        key = thread, path, pc
        found = self._places.get(key)
        if found is None:
            calls, chains = self._path(thread, path)
            found = Where(pc, calls, chains, self._chain(thread, pc))
            self._keep(key, found)
        return found

    def _keep(self, key: tuple[int, ...], where: Where) -> None:
        if len(self._places) >= _PLACES:
            self._places.clear()
            self._paths.clear()
        self._places[key] = where

    def _path(self, thread: int, path: int) -> tuple[tuple[int, ...], tuple[Chain, ...]]:
        key = thread, path
        found = self._paths.get(key)
        if found is None:
            calls: list[int] = []
            for frame in self._watch.frames(path):
                # Older frames that were dropped count, but nothing is known of them.
                calls += [0] * frame.sp if frame.is_mark else [frame.call]
            found = tuple(calls), tuple(self._chain(thread, call) for call in calls)
            self._paths[key] = found
        return found

    def _chain(self, thread: int, pc: int) -> Chain:
        image = self._images.get(thread)
        return () if image is None else image.scopes_at(pc)


class Watch:
    """What it takes to check a run: a machine to boot it with."""

    __slots__ = ("_checker", "machine")

    def __init__(self, scenario: Scenario, *, timing: Timing = DEFAULT_TIMING) -> None:
        self.machine = WatchedMachine(configure(scenario, timing=timing))
        self._checker = Checker(scenario.arch)

    def begin(self, system: System, recorder: RunRecorder) -> None:
        """Begin to check a system that was booted with it and has not run yet."""
        feeder = Feeder(self.machine, system.kernel, system.names.images, self._checker)
        recorder.follower = feeder

    def candidates(self) -> list[Candidate]:
        """Give what may be wrong, by the position where it was seen first."""
        return self._checker.candidates.all()

    def dropped(self) -> int:
        """Count what may be wrong and found no room."""
        return self._checker.candidates.dropped
