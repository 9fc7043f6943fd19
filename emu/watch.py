"""A watch: what a machine records of its programs, beside running them.

While there is one, every access to a range of physical memory is recorded, and every
context has a stack of calls.  Time, positions, traps and memory are those of a run
without it.
"""

from collections.abc import Callable
from typing import Any

import capstone
from capstone import x86_const as x86

from emu.blocks import NOWHERE
from emu.calls import Calls, Frame
from emu.context import Context
from emu.decode import LONGEST
from emu.engine import Engine
from emu.errors import BadConfigError
from emu.memory import PAGE, Memory
from emu.recorder import Access, Recorder
from emu.spaces import Space, Spaces
from emu.tally import Tally

_LARGEST = 8  # bytes of what the emulator calls one access
_MANY = 8  # tails for which a hook each is faster than one for everything
_EVERYTHING = range(0, 1 << 32)


class Watch:
    """What `Machine.watch` gives: records to take, and the calls they were made in."""

    __slots__ = ("_contexts", "_engine", "_spaces", "_tails", "addresses", "recorder")

    def __init__(
        self,
        memory: Memory,
        spaces: Spaces,
        engine: Engine,
        contexts: dict[int, Context],
        addresses: range,
        full: Callable[[list[Access]], None],
    ) -> None:
        words, origin = _window(memory, addresses)
        self._spaces = spaces
        self._engine = engine
        self._contexts = contexts
        self.addresses = addresses
        self.recorder = Recorder(Calls(), addresses, words, origin, self._page_behind, full)
        # Frames that some space shows just before a watched one: an access may begin there.
        self._tails: set[int] = set()
        if addresses:
            for space in map(spaces.get, spaces.numbers()):
                for address, page in space.pages.items():
                    self._note(space, address, page.frame)

    def tally(self) -> Tally:
        """Count from now on where time goes; the caller says when contexts run."""
        tally = Tally(self.recorder.calls)
        self.recorder.tally = tally
        return tally

    def drain(self) -> list[Access]:
        """Take all records that were not taken yet, in the order of the accesses."""
        return self.recorder.drain()

    def frames(self, path: int) -> tuple[Frame, ...]:
        """Give the calls of a record's `path`, outermost first."""
        return self.recorder.calls.frames(path)

    def path(self, context: Context) -> tuple[int, int]:
        """Give `path` and `low` that a record of this context would have now.

        As if there had been one: the next `low` counts from here.
        """
        return self.recorder.calls.tell(context.cpu.number, context.sp)

    @property
    def ranges(self) -> tuple[range, ...]:
        """The physical ranges that accesses to a watched one may begin in."""
        if not self.addresses:
            return ()
        if len(self._tails) > _MANY:
            return (_EVERYTHING,)
        ends = (frame + PAGE for frame in sorted(self._tails))
        return (self.addresses, *(range(end - _LARGEST + 1, end) for end in ends))

    def note(self, space: Space, address: int, frame: int) -> bool:
        """Take note that a page is mapped; true if `ranges` has changed."""
        before = len(self._tails)
        if self.addresses:
            self._note(space, address, frame)
        return len(self._tails) != before

    def _note(self, space: Space, address: int, frame: int) -> None:
        if frame in self.addresses:
            ahead = self._spaces.lookup(space, address - PAGE)
            if ahead is not None and ahead.frame not in self.addresses:
                self._tails.add(ahead.frame)
        else:
            behind = self._spaces.lookup(space, address + PAGE)
            if behind is not None and behind.frame in self.addresses:
                self._tails.add(frame)

    def _page_behind(self, number: int, address: int, ip: int, is_write: bool) -> int:
        """Give the frame behind the page that a context's access begins in at `address`.

        NOWHERE if the CPU may not access it: the access is going to fault.
        """
        context = self._contexts[number]
        frame, offset = address & -PAGE, address % PAGE
        pages = self._spaces.pages_of(context.space, frame)
        behind = {
            page: self._spaces.accessible(context.space, page + PAGE, is_write=is_write)
            for page in pages
        }
        found = set(behind.values())
        page = pages[0]
        if len(found) > 1:
            # The frame is shown more than once: the instruction tells which one it meant.
            meant = self._operands(context, ip)
            page = min(pages, key=lambda each: min(abs(each + offset - at) for at in meant))
        result = behind[page]
        return NOWHERE if result is None else result

    def _operands(self, context: Context, ip: int) -> list[int]:
        """Give the addresses that the instruction at `ip` may access, or near which."""
        load = context.load_register
        is_amd64 = self._spaces.tables.is_amd64
        letter = "r" if is_amd64 else "e"
        found = [load(letter + name) for name in ("sp", "si", "di")]
        engine: Any = capstone.Cs(
            capstone.CS_ARCH_X86, capstone.CS_MODE_64 if is_amd64 else capstone.CS_MODE_32
        )
        engine.detail = True
        code = self._spaces.fetch(context.space, ip, LONGEST)
        for instruction in engine.disasm(code, ip, 1):
            for operand in instruction.operands:
                if operand.type != x86.X86_OP_MEM:
                    continue
                memory = operand.mem
                at = memory.disp
                for register, scale in ((memory.base, 1), (memory.index, memory.scale)):
                    name = instruction.reg_name(register) if register else ""
                    if name in ("rip", "eip"):
                        at += ip + instruction.size
                    elif name:
                        at += load(_whole(name, letter)) * scale
                if memory.segment in (x86.X86_REG_FS, x86.X86_REG_GS):
                    at += load(instruction.reg_name(memory.segment) + "_base")
                found.append(at)
        return found


def _whole(name: str, letter: str) -> str:
    """Name the register of full width that an address is made with."""
    if name[1].isdigit():
        return name.rstrip("d")
    return letter + name[-2:]


def _window(memory: Memory, addresses: range) -> tuple[memoryview, int]:
    """Find the window that the addresses are in, as words of 64 bits."""
    if addresses.step != 1 or addresses.start % PAGE or len(addresses) % PAGE:
        raise BadConfigError(f"a watch of {addresses}, not of whole pages")
    for window in (memory.ram, memory.shared):
        end = window.base + window.size
        if window.base <= addresses.start and addresses.start + len(addresses) <= end:
            return memoryview(window.memory).cast("Q"), window.base
    raise BadConfigError(f"a watch of {addresses}, not in RAM or shared memory")
