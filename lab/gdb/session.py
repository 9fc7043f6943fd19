"""A session of gdb: what each packet of its protocol does to a timeline.

Rule 1: a packet is hostile until it is parsed.  What is malformed or impossible gets an
error, what is unknown an empty answer, and the timeline stays where it is.
Rule 2: guests are only looked at: no packet writes memory or a register, and breakpoints
are the engine's, of one process each.
Rule 3: the run is one.  When one thread goes on, all do; a step of a thread passes over
what the others do until it runs again.
"""

import re
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import quoteattr

from guest.host import HOST
from kernel.errors import UsageError
from kernel.utcb import WORDS
from lab.gdb.elf_file import elf_file, empty_file
from lab.gdb.files import Files
from lab.gdb.ids import ALL, ANY, ThreadId, parse_id
from lab.gdb.monitor import Monitor
from lab.gdb.packets import LONGEST
from lab.gdb.target import Register, describe_target, registers_of, segment_bases
from lab.replay.search import Break, Stop
from lab.replay.timeline import Timeline
from lab.replay.touches import Place

BAD = b"E16"  # EINVAL
NOWHERE = b"E0e"  # EFAULT
REFUSED = b"E.a recorded run is only looked at: nothing in it can be written"

_MOST_POINTS = 1000  # breakpoints and watchpoints
_LONGEST_PLACE = 1 << 16  # bytes that one watchpoint watches
_MEMORY = re.compile(rb"([0-9a-f]{1,16}),([0-9a-f]{1,8})")
_POINT = re.compile(rb"([0-4]),([0-9a-f]{1,16}),([0-9a-f]{1,8})(;.*)?", re.DOTALL)
_TRANSFER = re.compile(rb"([0-9a-z-]+):read:([^:]*):([0-9a-f]{1,8}),([0-9a-f]{1,8})")
_WATCH = {2: "watch", 3: "rwatch", 4: "awatch"}
_TRAP = b"T05"
_INTERRUPTED = b"T02"


class Interrupted(Exception):
    """Whoever drives gdb wants the run to stop."""


class Session:
    """One client's view of a timeline."""

    def __init__(self, timeline: Timeline, *, task: str | None = None) -> None:
        self._timeline = timeline
        word = timeline.log.word
        self._registers = (*registers_of(word), *segment_bases(word))
        self._general = registers_of(word)
        self._only = None if task is None else timeline.tasks[task]
        self._multiprocess = False
        self._knows_breaks = False
        self._thread: int | None = None  # of `g`, `m` and breakpoints; None: who runs
        self._process: int | None = None
        self._stepped: int | None = None  # the thread of `s` and `bs`, if gdb has said so
        self._breaks: dict[tuple[int, int], int] = {}  # (task, address): kind of point
        self._places: dict[tuple[int, int, int, int], Place] = {}
        self._monitor = Monitor(timeline)
        self._files = Files()
        self._last = _TRAP
        self._left: set[int] = set()  # processes that gdb has detached from
        self.is_over = False
        self._commands: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
            (b"qSupported", self._supported),
            (b"qXfer:", self._transfer),
            (b"qRcmd,", self._command),
            (b"qThreadExtraInfo,", self._extra),
            (b"qfThreadInfo", self._list_threads),
            (b"qsThreadInfo", lambda _: b"l"),
            (b"qAttached", lambda _: b"1"),
            (b"qC", lambda rest: b"" if rest else b"QC" + self._id(self._current())),
            (b"vCont?", lambda _: b"vCont;c;C;s;S"),
            (b"vCont;", self._continue_some),
            (b"vFile:", self._files.answer),
            (b"vKill;", self._leave_one),
            (b"D", self._leave_one),
            (b"k", self._leave),
            (b"?", lambda _: self._stopped(self._last)),
            (b"H", self._choose),
            (b"T", self._is_alive),
            (b"g", self._load_all),
            (b"p", self._load_one),
            (b"m", self._read),
            (b"Z", self._add_point),
            (b"z", self._drop_point),
            (b"bs", self._step_back),
            (b"bc", lambda _: self._continue(back=True)),
            (b"s", self._step_plain),
            (b"c", self._continue_plain),
        )

    def answer(self, packet: bytes) -> bytes:
        """Do what a packet asks for, and give the answer."""
        if packet[:1] in b"MXGP" and packet:
            return REFUSED
        for name, work in self._commands:
            if packet.startswith(name):
                try:
                    return work(packet[len(name) :])
                except UsageError:
                    return NOWHERE
        return b""

    # -- what there is ----------------------------------------------------------

    def _supported(self, features: bytes) -> bytes:
        offered = features[1:].split(b";")
        self._multiprocess = b"multiprocess+" in offered
        self._knows_breaks = b"swbreak+" in offered and b"hwbreak+" in offered
        names = [
            f"PacketSize={LONGEST:x}",
            "QStartNoAckMode+",
            "qXfer:features:read+",
            "qXfer:exec-file:read+",
            "qXfer:threads:read+",
            "vContSupported+",
            "ReverseStep+",
            "ReverseContinue+",
        ]
        if self._multiprocess:
            names.append("multiprocess+")
        if self._knows_breaks:
            names += ("swbreak+", "hwbreak+")
        return ";".join(names).encode()

    def _transfer(self, arguments: bytes) -> bytes:
        match = _TRANSFER.fullmatch(arguments)
        if match is None:
            return BAD
        kind, annex, offset, size = match.groups()
        if kind == b"features" and annex == b"target.xml":
            data = describe_target(self._timeline.log.word).encode()
        elif kind == b"threads" and not annex:
            data = self._threads_xml().encode()
        elif kind == b"exec-file":
            found = self._exec_file(annex)
            if found is None:
                return BAD
            data = found
        else:
            return b""
        start, length = int(offset, 16), min(int(size, 16), LONGEST // 2)
        part = data[start : start + length]
        return (b"m" if start + len(part) < len(data) else b"l") + part

    def _threads_xml(self) -> str:
        timeline = self._timeline
        lines = ["<threads>"]
        for number in self._threads():
            name = quoteattr(timeline.names.of(number))
            where = timeline.waits_for(number)
            text = f"waits for {where}" if where else "can run"
            shown = self._id(number).decode()
            lines.append(f'<thread id="{shown}" name={name}>{_escape(text)}</thread>')
        return "\n".join((*lines, "</threads>\n"))

    def _exec_file(self, annex: bytes) -> bytes | None:
        timeline = self._timeline
        if not re.fullmatch(rb"[0-9a-f]{0,8}", annex):
            return None
        process = int(annex, 16) if annex else timeline.task_of(self._current())
        for task in timeline.scenario.tasks:
            if timeline.tasks[task.name] == process:
                name = f"/l4lab/{task.name}"
                self._files.offer(name, elf_file(timeline.images[task.name], Path(task.image)))
                return name.encode()
        if timeline.host and timeline.task_of(timeline.host) == process:
            # Without a file gdb takes it for a task of another architecture.
            name = f"/l4lab/{HOST}"
            self._files.offer(name, empty_file(timeline.scenario.arch, HOST))
            return name.encode()
        return None

    def _threads(self) -> tuple[int, ...]:
        timeline = self._timeline
        return tuple(
            number
            for number in timeline.threads()
            if self._only is None or timeline.task_of(number) == self._only
        )

    def _list_threads(self, _: bytes) -> bytes:
        ids = b",".join(map(self._id, self._threads()))
        return b"m" + ids if ids else b"l"

    def _extra(self, text: bytes) -> bytes:
        number = self._named(text)
        if number is None:
            return BAD
        return self._timeline.names.of(number).encode().hex().encode()

    def _id(self, number: int) -> bytes:
        if not self._multiprocess:
            return b"%x" % number
        return b"p%x.%x" % (self._timeline.task_of(number), number)

    def _current(self) -> int:
        """Give the thread that packets are about."""
        threads = self._threads()
        if self._thread in threads:
            assert self._thread is not None
            return self._thread
        running = self._timeline.running
        if running in threads:
            assert running is not None
            return running
        if not threads:
            raise UsageError("no thread is left")
        return threads[0]

    def _task(self) -> int:
        if self._process is not None and self._process in self._timeline.spaces():
            return self._process
        return self._timeline.task_of(self._current())

    def _named(self, text: bytes) -> int | None:
        """Give the thread that an id names; None if there is none."""
        found = parse_id(text)
        if found is None:
            return None
        return self._one_of(found)

    def _one_of(self, wanted: ThreadId) -> int | None:
        timeline = self._timeline
        threads = self._threads()
        if wanted.process > 0:
            threads = tuple(n for n in threads if timeline.task_of(n) == wanted.process)
        if wanted.thread > 0:
            return wanted.thread if wanted.thread in threads else None
        running = timeline.running
        if running in threads:
            return running
        return threads[0] if threads else None

    def _choose(self, text: bytes) -> bytes:
        found = parse_id(text[1:])
        if found is None or text[:1] not in b"gc" or not text:
            return BAD
        if text[:1] == b"c":
            self._stepped = self._one_of(found) if found.thread > 0 else None
            return b"OK" if found.thread <= 0 or self._stepped is not None else BAD
        if found.process in (ANY, ALL) and found.thread in (ANY, ALL):
            self._thread = self._process = None
            return b"OK"
        number = self._one_of(found)
        if number is None:
            if found.process in self._timeline.spaces():
                # A task without threads still has memory.
                self._process = found.process
                return b"OK"
            return BAD
        self._thread = number
        self._process = self._timeline.task_of(number)
        return b"OK"

    def _is_alive(self, text: bytes) -> bytes:
        return BAD if self._named(text) is None else b"OK"

    # -- registers and memory ---------------------------------------------------

    def _load_all(self, rest: bytes) -> bytes:
        if rest:
            return BAD
        values = self._timeline.registers(self._current())
        return b"".join(_show(register, values) for register in self._general)

    def _load_one(self, text: bytes) -> bytes:
        if not re.fullmatch(rb"[0-9a-f]{1,4}", text) or int(text, 16) >= len(self._registers):
            return BAD
        values = self._timeline.registers(self._current())
        return _show(self._registers[int(text, 16)], values)

    def _read(self, text: bytes) -> bytes:
        match = _MEMORY.fullmatch(text)
        if match is None:
            return BAD
        address, size = (int(part, 16) for part in match.groups())
        size = min(size, LONGEST // 2 - 1)
        task = self._task()
        try:
            return self._timeline.read(task, address, size).hex().encode()
        except UsageError:
            # As much as there is, up to the end of its page.
            room = min(size, -address % 4096 or 4096)
            return self._timeline.read(task, address, room).hex().encode()

    # -- points -----------------------------------------------------------------

    def _add_point(self, text: bytes) -> bytes:
        match = _POINT.fullmatch(text)
        if match is None or len(self._breaks) + len(self._places) >= _MOST_POINTS:
            return BAD
        kind, address, size = (int(part, 16) for part in match.groups()[:3])
        task = self._task()
        if kind in _WATCH:
            if not 0 < size <= _LONGEST_PLACE:
                return BAD
            place = Place(task, address, size, reads=kind != 2, writes=kind != 3)
            self._places[kind, task, address, size] = place
        else:
            self._breaks[task, address] = kind
        return b"OK"

    def _drop_point(self, text: bytes) -> bytes:
        match = _POINT.fullmatch(text)
        if match is None:
            return BAD
        kind, address, size = (int(part, 16) for part in match.groups()[:3])
        task = self._task()
        if kind in _WATCH:
            self._places.pop((kind, task, address, size), None)
        else:
            self._breaks.pop((task, address), None)
        return b"OK"

    # -- moving -----------------------------------------------------------------

    def _continue_plain(self, rest: bytes) -> bytes:
        return BAD if rest else self._continue(back=False)

    def _step_plain(self, rest: bytes) -> bytes:
        return BAD if rest else self._step(self._to_step(), back=False)

    def _step_back(self, rest: bytes) -> bytes:
        return BAD if rest else self._step(self._to_step(), back=True)

    def _to_step(self) -> int:
        stepped = self._stepped
        return stepped if stepped in self._threads() and stepped else self._current()

    def _continue_some(self, actions: bytes) -> bytes:
        for action in actions.split(b";"):
            verb, _, name = action.partition(b":")
            if not re.fullmatch(rb"[cs]|[CS][0-9a-f]{2}", verb):
                return BAD
            if verb[:1] in b"sS":
                number = self._named(name) if name else self._current()
                return BAD if number is None else self._step(number, back=False)
        return self._continue(back=False)

    def _continue(self, *, back: bool) -> bytes:
        return self._move(lambda timeline, points: self._search(points, back=back), back=back)

    def _step(self, thread: int, *, back: bool) -> bytes:
        began = self._timeline.at

        def work(timeline: Timeline, points: "_Points") -> bytes:
            goal = timeline.previous_of(thread) if back else timeline.next_of(thread)
            if points[0] or points[1]:
                find = timeline.run_back if back else timeline.run_forward
                stop = find(*points, until=goal)
                if stop is not None:
                    return self._at_stop(stop)
            timeline.seek(goal)
            self._thread = thread if thread in self._threads() else None
            if timeline.at == began or timeline.running != thread:
                return _TRAP + _history(back)
            return _TRAP

        return self._move(work, back=back)

    def _search(self, points: "_Points", *, back: bool) -> bytes:
        timeline = self._timeline
        find = timeline.run_back if back else timeline.run_forward
        stop = find(*points)
        if stop is None:
            # gdb 13 hangs if it is told another thread than its own at either end.
            return _TRAP + _history(back)
        return self._at_stop(stop)

    def _move(self, work: Callable[[Timeline, "_Points"], bytes], *, back: bool) -> bytes:
        timeline = self._timeline
        points = (
            tuple(Break(task, address) for task, address in self._breaks),
            tuple(self._places.values()),
        )
        try:
            self._last = work(timeline, points)
        except Interrupted:
            if not back and timeline.polled > timeline.at:
                timeline.seek(timeline.polled)
            self._thread = None
            self._last = _INTERRUPTED
        self._process = None
        return self._stopped(self._last)

    def _at_stop(self, stop: Stop) -> bytes:
        timeline = self._timeline
        threads = self._threads()
        self._thread = stop.thread if stop.thread in threads else None
        if stop.touch is None:
            state = timeline.thread(stop.thread)
            kind = self._breaks.get((state.task, state.ip), 0)
            if not self._knows_breaks:
                return _TRAP
            return _TRAP + (b"hwbreak:;" if kind else b"swbreak:;")
        for (kind, *_), place in self._places.items():
            fits = place.writes if stop.touch.is_write else place.reads
            if fits and timeline.touches(place, stop.touch):
                self._thread = self._witness(place, stop.thread)
                return _TRAP + f"{_WATCH[kind]}:{place.address:x};".encode()
        return _TRAP

    def _witness(self, place: Place, thread: int) -> int | None:
        """Give the thread to show a touch with: gdb looks at the place in its process.

        What the kernel copies, it copies in a system call of the other thread mostly.
        """
        timeline = self._timeline
        own = [n for n in self._threads() if timeline.task_of(n) == place.task]
        if thread in own:
            return thread
        size = WORDS * timeline.log.word
        for number in own:
            if 0 <= place.address - timeline.utcb_address(number) < size:
                return number
        return own[0] if own else None

    def _stopped(self, why: bytes) -> bytes:
        try:
            current = self._current()
        except UsageError:
            return b"W00"
        return why + b"thread:" + self._id(current) + b";"

    # -- the rest ---------------------------------------------------------------

    def _command(self, text: bytes) -> bytes:
        try:
            command = bytes.fromhex(text.decode("ascii")).decode("utf-8", "replace")
        except ValueError:
            return BAD
        try:
            lines = self._monitor.answer(command, self._current())
        except UsageError as error:
            lines = f"{error}\n"
        data = lines.encode("utf-8", "backslashreplace")
        return data[: LONGEST // 2 - 1].hex().encode() or b"OK"

    def _leave_one(self, text: bytes) -> bytes:
        """Leave one process, or all; the session is over when none is left."""
        if text.startswith(b";"):
            text = text[1:]
        if re.fullmatch(rb"[0-9a-f]{1,8}", text):
            self._left.add(int(text, 16))
        elif text:
            return BAD
        there = {self._timeline.task_of(number) for number in self._threads()}
        self.is_over = not text or there <= self._left
        return b"OK"

    def _leave(self, _: bytes) -> bytes:
        self.is_over = True
        return b"OK"


_Points = tuple[tuple[Break, ...], tuple[Place, ...]]


def _history(back: bool) -> bytes:
    return b"replaylog:begin;" if back else b"replaylog:end;"


def _show(register: Register, values: dict[str, int]) -> bytes:
    size = register.bits // 8
    if not register.source:
        return b"x" * (2 * size)  # not available
    value = values[register.source] & (1 << register.bits) - 1
    return value.to_bytes(size, "little").hex().encode()


def _escape(text: str) -> str:
    return quoteattr(text)[1:-1]
