"""Attribution: a run that is watched, and its stream for the checker.

Rule 1: the run is the same as without.  What is watched is copied out between two blocks
and when the kernel is entered, and nothing goes back.
Rule 2: accesses come before the system call or event that follows them in the run.
"""

from collections.abc import Mapping, Sequence

from emu.calls import Frame
from emu.context import Context
from emu.engine import ENDLESS
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
from emu.traps import STEPPED, SYSTEM_CALL
from emu.watch import Watch as Records
from guest.image import Image
from guest.scenario import Scenario
from kernel.abi import TAG_ITEMS, TAG_ITEMS_SHIFT, TAG_WORDS
from kernel.events import Created, Deleted, Event, Fate, Fault, Invocation
from kernel.state import Kernel
from kernel.utcb import MR_COUNT
from lab.checker.candidate import Candidate
from lab.checker.checker import Checker
from lab.checker.finding import Rule
from lab.checker.life_log import LifeLog
from lab.checker.stream import Access, Arrival, Call, Chain, Where
from lab.checker.trampoline import leaves_handler
from lab.recorder import Follower, RunRecorder
from lab.replay.may_ipc import break_at_functions
from lab.replay.staged import find_staged
from lab.replay.system import System, configure
from lab.timing import DEFAULT_TIMING

_PLACES = 1 << 16  # places that are kept


class WatchedMachine(Machine):
    """A machine whose accesses to UTCBs and system calls go to a feeder."""

    __slots__ = ("feeder",)

    def __init__(self, config: MachineConfig) -> None:
        super().__init__(config)
        self.feeder: Feeder | None = None

    def run(self, context: Context, deadline: int) -> int:
        """Run `context` until it traps or cycle `deadline` is reached, and say which."""
        feeder = self.feeder
        if feeder is not None and feeder.may_ipc:
            trap = self._run(context, deadline, feeder)
        else:
            trap = Machine.run(self, context, deadline)
        if feeder is not None:
            feeder.drain()
            if trap == SYSTEM_CALL:
                feeder.call(context)
        return trap

    def _run(self, context: Context, deadline: int, feeder: "Feeder") -> int:
        """Run as ever, but look up at the functions that may do IPC."""
        while True:
            trap = self.run_until_position(context, deadline, ENDLESS)
            if trap != STEPPED:
                return trap
            feeder.drain()
            feeder.enters(context)
            self.pass_breaks(self.instructions)


class Feeder(Follower):
    """Feeds a checker with what a watched machine does."""

    __slots__ = (
        "_access",
        "_arrival",
        "_call_page",
        "_calls",
        "_frames",
        "_images",
        "_interrupted",
        "_introduced",
        "_kernel",
        "_limit",
        "_machine",
        "_owners",
        "_paths",
        "_places",
        "_recorder",
        "_sites",
        "_size",
        "_staged",
        "_unbound",
        "_watch",
        "checker",
        "may_ipc",
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
        self.may_ipc: dict[tuple[int, int], str] = {}  # names by space and address
        self._size = kernel.arch.utcb_size
        self._limit = MR_COUNT * kernel.arch.word
        self._call_page = kernel.arch.call_page
        # By digest of the program, and by address.
        self._staged = {each.digest: find_staged(each) for each in images.values()}
        self._sites = {pc for found in self._staged.values() for pc in found}
        self._owners: dict[int, int] = {}  # threads by the physical address of their UTCB
        self._introduced: set[int] = set()
        self._unbound = True
        # Where threads had the page fault that they handle themselves, and the least depth
        # before it; -1 once that was told.
        self._interrupted: dict[int, tuple[Where, int]] = {}
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

    def begin_again(self, checker: Checker) -> None:
        """Feed another checker: the machine and its kernel were brought back to the start."""
        self.checker = checker
        self._owners.clear()
        self._introduced.clear()
        self._interrupted.clear()
        self.learn()

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
        where = self._place(thread, path, ip)
        if is_write and ip in self._sites:
            self._note_staged(position, thread, where, offset, size, value)
        if thread in self._interrupted:
            where, low = self._below(thread, where, low)
        access = self._access
        access.position = position
        access.thread = thread
        access.owner = owner
        access.offset = offset
        access.size = size
        access.value = value
        access.is_write = is_write
        access.where = where
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
        if self._machine.hosts(context):
            self._store_message(context, path, low)
        if number in self._interrupted:
            where, low = self._below(number, where, low)
        self.checker.call(self._call_of(context, where, low))

    def _call_of(self, context: Context, where: Where, low: int) -> Call:
        machine = self._machine
        return Call(
            machine.instructions,
            machine.now,
            context.number,
            context.selector,
            context.tag,
            where,
            low,
        )

    def _store_message(self, context: Context, path: int, low: int) -> None:
        # What the host sends is in the UTCB without any instruction that put it there.
        word = self._kernel.arch.word
        base = self._kernel.threads[context.number].utcb_frame
        tag = context.tag
        count = (tag & TAG_WORDS) + 2 * (tag >> TAG_ITEMS_SHIFT & TAG_ITEMS)
        position = self._machine.instructions - 1
        for at in range(base, base + min(count, MR_COUNT) * word, word):
            value = int.from_bytes(self._machine.read_physical(at, word), "little")
            self._feed(position, context.number, context.ip, at, word, value, True, path, low)

    def look_at(self, globs: Sequence[str]) -> None:
        """Look at calls of functions by these names, which may do IPC."""
        if globs:
            programs = {
                thread.task.number: self._images[number]
                for number, thread in self._kernel.threads.items()
                if number in self._images
            }
            self.may_ipc = break_at_functions(self._machine, programs.items(), globs)

    def enters(self, context: Context) -> None:
        """Take note that a function is entered that may do IPC."""
        name = self.may_ipc.get((context.space.number, context.ip))
        if name is None:
            return
        number = context.number
        path = self._calls.path_at(number, context.sp)
        low = self._calls.take_low(number, path)
        frames = self._watch.frames(path)
        calls, chains = self._path(number, path)
        if calls and _enters(frames, context.ip):
            last = len(calls) - 1
            where = Where(calls[last], calls[:last], chains[:last], chains[last])
        else:
            where = Where(context.ip, calls, chains, self._chain(number, context.ip))
        low = min(low, where.depth)
        if number in self._interrupted:
            where, low = self._below(number, where, low)
        self.checker.may_call(self._machine.instructions, number, name, where, low)

    def hidden_call(self, context: Context) -> None:
        """Take note of a system call of a function that is called from where a context is."""
        number = context.number
        path = self._calls.path_at(number, context.sp)
        calls, chains = self._path(number, path)
        pc = context.ip
        inside = Where(pc, (*calls, pc), (*chains, self._chain(number, pc)))
        low = min(self._calls.take_low(number, path), len(calls))
        self.checker.call(self._call_of(context, inside, low))

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
        elif isinstance(event, Fault) and event.fate is Fate.TRAMPOLINE:
            context, number = self._machine.context(event.thread), event.thread
            path = self._calls.path_at(number, context.sp)
            place = self._place(number, path, event.ip)
            self._interrupted[number] = place, self._calls.take_low(number, path)
        elif isinstance(event, Deleted):
            self._introduced.discard(event.target)
            for base in [base for base, n in self._owners.items() if n == event.target]:
                del self._owners[base]
        elif isinstance(event, Invocation):
            if self._unbound:
                self.learn()
            if event.thread in self._interrupted and leaves_handler(event):
                del self._interrupted[event.thread]

    def _below(self, thread: int, where: Where, low: int) -> tuple[Where, int]:
        """Put what a handler of the thread's own does below the code with the fault."""
        base, before = self._interrupted[thread]
        depth = base.depth
        if where.depth < depth:
            del self._interrupted[thread]  # it has left for good
            return where, low
        self._interrupted[thread] = base, -1
        # The frame is called by the instruction that had the fault.
        calls = (*base.calls, base.pc, *where.calls[depth:])
        chains = (*base.chains, base.leaf, *where.chains[depth:])
        low = min(before, depth) if before >= 0 else max(low, depth) + 1
        return Where(where.pc, calls, chains, where.leaf), low

    def _note_staged(
        self, position: int, thread: int, where: Where, offset: int, size: int, value: int
    ) -> None:
        """Take note of a word that waited in a register while a function was called."""
        image = self._images.get(thread)
        staged = self._staged[image.digest].get(where.pc) if image is not None else None
        if staged is None or staged.value == value or offset >= self._limit:
            return
        self.checker.candidates.add(
            Candidate(
                Rule.WORD_LOST_UNREAD,
                thread,
                position,
                where,
                offset,
                size,
                is_write=True,
                expected=staged.value.to_bytes(size, "little"),
                actual=value.to_bytes(size, "little"),
                is_note=True,
            )
        )

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


def _enters(frames: Sequence[Frame], ip: int) -> bool:
    """Whether the innermost frame is that of a function which begins at `ip`."""
    last = frames[len(frames) - 1]
    return not last.is_mark and last.entry == ip


class Watch:
    """What it takes to check a run: a machine to boot it with."""

    __slots__ = ("_checker", "_feeder", "_may_ipc", "machine")

    def __init__(
        self,
        scenario: Scenario,
        machine: WatchedMachine | None = None,
        *,
        timing: Timing = DEFAULT_TIMING,
    ) -> None:
        self.machine = machine or WatchedMachine(configure(scenario, timing=timing))
        self._checker = Checker(scenario.arch)
        self._feeder: Feeder | None = None
        # A machine that somebody else has made stops where that one wants it to.
        self._may_ipc = scenario.functions.may_ipc if machine is None else ()

    def begin(self, system: System, recorder: RunRecorder) -> None:
        """Begin to check a system that was booted with it and has not run yet."""
        feeder = Feeder(self.machine, system.kernel, system.names.images, self._checker)
        feeder.look_at(self._may_ipc)
        recorder.follower = self._feeder = feeder

    def begin_again(self, system: System, recorder: RunRecorder) -> None:
        """Check another run of a system that was brought back to the start."""
        assert self._feeder is not None, "it has begun before"
        self._checker = Checker(system.scenario.arch)
        self._feeder.begin_again(self._checker)
        recorder.follower = self._feeder

    def follow_lives(self, lives: LifeLog) -> None:
        """Let somebody be told of all messages, from now on."""
        self._checker.lives = lives

    def candidates(self) -> list[Candidate]:
        """Give what may be wrong, by the position where it was seen first."""
        return self._checker.candidates.all()

    def dropped(self) -> int:
        """Count what may be wrong and found no room."""
        return self._checker.candidates.dropped
