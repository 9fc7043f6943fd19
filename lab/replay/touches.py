"""Touches: who read or wrote some bytes of a run's memory, programs and kernel alike.

Rule 1: a program's touch is exact: its instruction, its value.  The kernel's come from its
events, as what a transfer copied is a write of all its words, changed or not; what no event
tells of counts as a write if the bytes changed.
Rule 2: memory is physical here.  A page that two tasks map is one memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from emu.errors import NoSuchNumberError
from emu.memory import PAGE, SHARED_BASE
from emu.recorder import Access
from emu.watch import Watch
from kernel.events import Event, Invocation, Items, Resumption, Transfer, Waiting
from kernel.state import Kernel
from kernel.utcb import BDR
from lab.replay.halting import HaltingMachine, Instant

_LONGEST = 1 << 20  # bytes of one place


class Place(NamedTuple):
    """Bytes of a task's memory, and which touches of them matter."""

    task: int
    address: int
    size: int
    reads: bool = False
    writes: bool = True


@dataclass(frozen=True, slots=True)
class Touch:
    """One read or write."""

    before: Instant  # the last instant before it
    after: Instant  # the first one that shows it
    thread: int  # that read or wrote; by the kernel: whose system call or fault it was
    ip: int  # of the instruction; 0 of the kernel
    address: int  # physical
    size: int
    value: int  # of programs
    is_write: bool
    by_kernel: bool = False
    event: int | None = None  # the number of the kernel's event that tells of it


class Looker:
    """Sees the touches of places while a machine runs, in one window of its memory.

    `see` is given every touch, in the order of the run but for those of one entry of the
    kernel, and in mid-run: it must not touch the machine.
    """

    def __init__(
        self,
        machine: HaltingMachine,
        places: tuple[Place, ...],
        see: Callable[[Touch], None],
        rewatch: Callable[[range, Callable[[list[Access]], None]], Watch],
        *,
        shared: bool,
    ) -> None:
        self._machine = machine
        self._places = places
        self._see = see
        self._shared = shared
        self._mappings = -1
        self._ranges: list[tuple[int, int, Place]] = []  # physical: first, end
        self._rewatch = rewatch  # `Machine.watch`, but stacks stay
        self._before: list[bytes] = []
        self._covered: list[tuple[int, int]] = []  # by the kernel's events
        self._watched = range(0)
        self._watch: Watch | None = None
        self._aim()

    def entered(self, at: Instant) -> None:
        """Take note that the kernel was left, or did its last, at an instant."""
        machine = self._machine
        for (first, end, place), old in zip(self._ranges, self._before, strict=False):
            new = machine.read_physical(first, end - first)
            if new == old or not place.writes:
                continue
            changed = [k for k in range(end - first) if new[k] != old[k]]
            low, high = first + changed[0], first + changed[-1] + 1
            if not any(a <= low and high <= b for a, b in self._covered):
                self._tell_kernel(low, high - low, None, at, is_write=True)
        self._covered.clear()
        self._aim()

    def left(self, entry: Instant) -> None:
        """Take note that a run ended that began at an instant."""
        if self._watch is not None:
            self._note(self._watch.drain(), entry)
            self._remember()

    def happened(self, event: Event, number: int, kernel: Kernel) -> None:
        """Take note of an event, as it happens."""
        for thread, first, count, is_write in words_of(event):
            found = kernel.threads.get(thread)
            if found is None or not found.is_bound() or not count:
                continue
            word = kernel.arch.word
            at = found.utcb_frame + first * word
            if is_write:
                self._covered.append((at, at + count * word))
            shown = self._machine.shown
            self._tell_kernel(at, count * word, number, shown, is_write=is_write)

    def _tell_kernel(
        self, address: int, size: int, event: int | None, after: Instant, *, is_write: bool
    ) -> None:
        machine = self._machine
        for first, end, place in self._ranges:
            low, high = max(first, address), min(end, address + size)
            if low < high and (place.writes if is_write else place.reads):
                self._see(
                    Touch(
                        before=machine.before,
                        after=after,
                        thread=machine.last,
                        ip=0,
                        address=low,
                        size=high - low,
                        value=int.from_bytes(machine.read_physical(low, high - low), "little"),
                        is_write=is_write,
                        by_kernel=True,
                        event=event,
                    )
                )
                return

    def _note_early(self, accesses: list[Access]) -> None:
        self._note(accesses, self._machine.at)

    def _note(self, accesses: list[Access], entry: Instant) -> None:
        for each in accesses:
            end = each.address + each.size
            for low, high, place in self._ranges:
                if each.address >= high or end <= low:
                    continue
                if place.writes if each.is_write else place.reads:
                    self._see(_touch_of(each, entry))
                    break

    def _aim(self) -> None:
        """Watch the pages that the places are in now."""
        machine = self._machine
        if machine.mappings == self._mappings:
            return
        self._mappings = machine.mappings
        self._ranges = [
            (frame, frame + size, place)
            for place in self._places
            for frame, size in runs_of(machine, place)
            if (frame >= SHARED_BASE) == self._shared
        ]
        self._remember()
        if not self._ranges:
            return
        first = min(low for low, _, _ in self._ranges) & -PAGE
        end = (max(high for _, high, _ in self._ranges) + PAGE - 1) & -PAGE
        if self._watched and self._watched.start <= first and end <= self._watched.stop:
            return
        if self._watched:
            first, end = min(first, self._watched.start), max(end, self._watched.stop)
        self._watched = range(first, end)
        self._watch = self._rewatch(self._watched, self._note_early)

    def _remember(self) -> None:
        read = self._machine.read_physical
        self._before = [read(first, end - first) for first, end, _ in self._ranges]


def runs_of(machine: HaltingMachine, place: Place) -> Iterator[tuple[int, int]]:
    """Give the physical runs behind a place: address and size; what is mapped of it."""
    address, end = place.address, place.address + min(place.size, _LONGEST)
    while address < end:
        size = min(end, (address | PAGE - 1) + 1) - address
        try:
            physical = machine.translate(place.task, address)
        except NoSuchNumberError:
            return  # the task is gone, or not there yet
        if physical is not None:
            yield physical, size
        address += size


def words_of(event: Event) -> Iterator[tuple[int, int, int, bool]]:
    """Give the UTCB words that an event tells of: thread, first, count, whether written."""
    match event:
        case Transfer():
            count = event.tag & 0x3F
            yield event.sender, 0, count, False
            yield event.receiver, 0, count, True
        case Items():
            yield event.sender, event.first, len(event.items), False
            yield event.receiver, event.first, len(event.results), True
        case Invocation():
            yield event.thread, 0, len(event.words), False
            yield event.thread, 0, len(event.answer), True
        case Waiting():
            yield event.thread, 0, len(event.words), False
        case Resumption():
            yield event.thread, BDR, min(len(event.words), 3), True
            yield event.thread, 0, max(len(event.words) - 3, 0), True
        case _:
            return


def _touch_of(access: Access, entry: Instant) -> Touch:
    at = entry if access.position == entry.position else Instant(access.position)
    return Touch(
        before=at,
        after=Instant(access.position + 1),
        thread=access.context,
        ip=access.ip,
        address=access.address,
        size=access.size,
        value=access.value,
        is_write=access.is_write,
    )
