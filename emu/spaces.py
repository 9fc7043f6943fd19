"""Address spaces: which page shows which frame, and who may write code.

Rule 1: every change of a page table entry of user space happens in this file.
Rule 2: a frame with an executable mapping has no writable entry; it is either in *code*
state (entries executable as their rights say, none writable) or in *data* state (entries
writable as their rights say, none executable).  The machine flips it when a guest asks
for the other.  Without it, stores by one CPU would leave stale translations in others.
Rule 3: one word, the clock, is stored without a look at translations.  Reading it as code
is remembered here, and then the next store is like any other.
Rule 4: a guest cannot see the state of a frame, and neither can the clock.
"""

from emu.blocks import BlockTable, Decoder
from emu.engine import Cpu
from emu.errors import BadMappingError, NoSuchNumberError, NotMappedError
from emu.memory import PAGE, Memory
from emu.paging import (
    ACCESSED,
    DIRTY,
    EXECUTE_RIGHT,
    FLAGS,
    NO_EXECUTE,
    PRESENT,
    READ_RIGHT,
    STICKY_SHIFT,
    USER,
    WRITABLE,
    WRITE_RIGHT,
    PageTables,
)

CLOCK_SIZE = 8  # bytes of the word that changes often
_OFFSET = PAGE - 1


class Space:
    """One address space."""

    __slots__ = (
        "blocks",
        "cpus",
        "local",
        "local_size",
        "local_slot",
        "number",
        "pages",
        "root",
    )

    def __init__(
        self, number: int, root: int, blocks: BlockTable, pages: dict[int, "Page"]
    ) -> None:
        self.number = number
        self.root = root
        self.blocks = blocks
        self.cpus: list[Cpu] = []  # of the contexts that use it
        self.pages = pages  # by address
        # Its local descriptor table: which of all tables, what was ever stored there, and
        # how many entries of it the CPU sees.
        self.local_slot = -1  # negative: it has none
        self.local: list[int] = []
        self.local_size = 0


class Page:
    """A page of a space, and its neighbours among all pages that show its frame."""

    __slots__ = ("address", "frame", "next", "previous", "rights", "slot", "space")

    def __init__(self, space: Space, address: int, frame: int, rights: int, slot: int) -> None:
        self.space = space
        self.address = address
        self.frame = frame
        self.rights = rights
        self.slot = slot  # of its page table entry
        self.next: Page | None = None
        self.previous: Page | None = None


class Spaces:
    """All address spaces over one memory."""

    __slots__ = (
        "_all",
        "_decoder",
        "_executable",
        "_fixed",
        "_memory",
        "_shown",
        "clock",
        "clock_is_code",
        "data_frames",
        "tables",
    )

    def __init__(self, memory: Memory, tables: PageTables, decoder: Decoder) -> None:
        self.tables = tables
        self._memory = memory
        self._decoder = decoder
        self._all: dict[int, Space] = {}
        self._shown: dict[int, Page] = {}  # by frame: the first page that shows it
        self._executable: dict[int, int] = {}  # by frame: how many mappings may execute it
        self._fixed: dict[int, bytes] = {}
        self.clock: int | None = None  # a physical word that is stored past all this
        self.clock_is_code = False  # somebody decoded it since the last store
        self.data_frames: set[int] = set()  # those in data state though they hold code

    def fix_page(self, address: int, page: int, content: bytes) -> None:
        """Show a page of the tables window, user-executable, in every space."""
        self._fixed[address] = content
        offset = page - self._memory.tables.base
        self._memory.tables.memory[offset : offset + PAGE] = content
        self.tables.map_system(address, page, PRESENT | USER)

    def create(self, number: int) -> Space:
        """Make an empty space."""
        if number in self._all:
            raise NoSuchNumberError("there is already a space", number)
        root = self.tables.create_root()
        pages: dict[int, Page] = {}
        table = self._decoder.create_table(lambda at, size: self._fetch(pages, at, size))
        space = Space(number, root, table, pages)
        self._all[number] = space
        return space

    def destroy(self, number: int) -> None:
        """Forget a space and all its mappings."""
        space = self.get(number)
        for address in list(space.pages):
            self.unmap(space, address)
        self.tables.destroy_root(space.root)
        self._decoder.destroy_table(space.blocks)
        del self._all[number]

    def get(self, number: int) -> Space:
        """Give a space by its number."""
        try:
            return self._all[number]
        except KeyError:
            raise NoSuchNumberError("no space", number) from None

    def numbers(self) -> list[int]:
        """List the numbers of all spaces in order."""
        return sorted(self._all)

    def map(self, space: Space, address: int, frame: int, rights: int) -> bool:
        """Map a page; true if code of any space may have changed."""
        self.tables.check(address, frame)
        if not self._memory.is_guest_frame(frame):
            raise BadMappingError(address, frame, "not a frame of RAM or shared memory")
        if not 0 < rights < 8:
            raise BadMappingError(address, frame, f"rights {rights:#x}")
        old = space.pages.get(address)
        kept = 0
        changed = False
        if old is not None:
            if old.frame == frame:
                kept = self.tables.load(old.slot) & FLAGS
            changed = self.unmap(space, address)
        slot = self.tables.slot(space.root, address)  # may find no room: change nothing
        was_code = frame in self._executable
        page = Page(space, address, frame, rights, slot)
        space.pages[address] = page
        first = self._shown.get(frame)
        if first is not None:
            page.next = first
            first.previous = page
        self._shown[frame] = page
        self.tables.store(slot, kept)
        if rights & EXECUTE_RIGHT:
            self._executable[frame] = self._executable.get(frame, 0) + 1
            space.blocks.forget()
            if not was_code:
                self._refresh(frame)
                return True
        self._store(page)
        return changed

    def unmap(self, space: Space, address: int) -> bool:
        """Take a page away, if there is one; true if code of any space may have changed."""
        page = space.pages.pop(address, None)
        if page is None:
            self.tables.check(address, 0)
            return False
        self._unlink(page)
        self.tables.store(page.slot, 0)
        if not page.rights & EXECUTE_RIGHT:
            return False
        space.blocks.forget()
        frame = page.frame
        self._executable[frame] -= 1
        if not self._executable[frame]:
            del self._executable[frame]
            self.data_frames.discard(frame)
            if frame in self._shown:
                self._refresh(frame)
        return True

    def accessed(self, space: Space, address: int) -> int:
        """Tell as rights whether programs read or wrote a page since its flags were set."""
        entry = self.tables.load(self._page(space, address).slot)
        entry |= entry >> STICKY_SHIFT
        flags = READ_RIGHT if entry & ACCESSED else 0
        return flags | (WRITE_RIGHT if entry & DIRTY else 0)

    def set_accessed(self, space: Space, address: int, flags: int) -> None:
        """Set the flags of a page; the caller sees to it that no CPU has cached them."""
        sticky = ACCESSED if flags & READ_RIGHT else 0
        sticky |= DIRTY if flags & WRITE_RIGHT else 0
        slot = self._page(space, address).slot
        self.tables.store(slot, self.tables.load(slot) & ~FLAGS | sticky << STICKY_SHIFT)

    def is_code(self, frame: int) -> bool:
        """Tell whether any space may execute the frame."""
        return frame in self._executable

    def lookup(self, space: Space, address: int) -> Page | None:
        """Give the page that holds `address`."""
        return space.pages.get(address & ~_OFFSET)

    def translate(self, space: Space, address: int) -> int | None:
        """Give the physical address behind a virtual one."""
        page = space.pages.get(address & ~_OFFSET)
        return None if page is None else page.frame | address & _OFFSET

    def pages_of(self, space: Space, frame: int) -> list[int]:
        """List the addresses of the pages that show a frame in a space, in order."""
        found: list[int] = []
        page = self._shown.get(frame)
        while page is not None:
            if page.space is space:
                found.append(page.address)
            page = page.next
        return sorted(found)

    def accessible(self, space: Space, address: int, *, is_write: bool) -> int | None:
        """Give the frame of a page if the CPU can read, or write, it at the moment."""
        page = space.pages.get(address)
        if page is None or (is_write and not self.tables.load(page.slot) & WRITABLE):
            return None
        return page.frame

    def turn(self, frame: int, *, to_data: bool) -> None:
        """Put a frame that holds code into its other state."""
        if to_data:
            self.data_frames.add(frame)
        else:
            self.data_frames.discard(frame)
        self._refresh(frame)
        self.forget_code(frame)

    def open(self, space: Space, address: int) -> None:
        """Let one page be both written and executed, until `close`."""
        page = space.pages[address]
        kept = self.tables.load(page.slot) & FLAGS
        self.tables.store(page.slot, page.frame | PRESENT | USER | WRITABLE | kept)

    def close(self, space: Space, address: int) -> None:
        """Take back what `open` gave, and forget the code."""
        page = space.pages[address]
        self._store(page)
        self.forget_code(page.frame)

    def forget_code(self, frame: int) -> None:
        """Drop the blocks of every space that executes the frame."""
        page = self._shown.get(frame)
        while page is not None:
            if page.rights & EXECUTE_RIGHT:
                page.space.blocks.forget()
            page = page.next

    def fetch(self, space: Space, address: int, size: int) -> bytes:
        """Read up to `size` bytes of what may be executed at `address`."""
        return self._fetch(space.pages, address, size)

    def read(self, space: Space, address: int, size: int) -> bytes:
        """Read through the mappings, whatever their rights."""
        parts = self._parts(space, address, size)
        return b"".join(self._memory.read(at, part) for at, part in parts)

    def write(self, space: Space, address: int, data: bytes) -> list[int]:
        """Write through the mappings, whatever their rights; list the frames written.

        Nothing is written if any page is missing.
        """
        frames: list[int] = []
        done = 0
        for at, part in self._parts(space, address, len(data)):
            self._memory.write(at, data[done : done + part])
            frames.append(at & ~_OFFSET)
            done += part
        return frames

    def _fetch(self, pages: dict[int, Page], address: int, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            base, offset = address & ~_OFFSET, address & _OFFSET
            part = min(size, PAGE - offset)
            page = pages.get(base)
            if page is not None and page.rights & EXECUTE_RIGHT:
                first = page.frame + offset
                clock = self.clock
                if clock is not None and first < clock + CLOCK_SIZE and clock < first + part:
                    self.clock_is_code = True
                parts.append(self._memory.read(first, part))
            elif base in self._fixed:
                parts.append(self._fixed[base][offset : offset + part])
            else:
                break
            address, size = address + part, size - part
        return b"".join(parts)

    def _parts(self, space: Space, address: int, size: int) -> list[tuple[int, int]]:
        parts: list[tuple[int, int]] = []
        while size > 0:
            physical = self.translate(space, address)
            if physical is None:
                raise NotMappedError(space.number, address)
            part = min(size, PAGE - (address & _OFFSET))
            parts.append((physical, part))
            address, size = address + part, size - part
        return parts

    def _page(self, space: Space, address: int) -> Page:
        page = space.pages.get(address)
        if page is None:
            raise NotMappedError(space.number, address)
        return page

    def _unlink(self, page: Page) -> None:
        following = page.next
        if following is not None:
            following.previous = page.previous
        if page.previous is not None:
            page.previous.next = following
        elif following is not None:
            self._shown[page.frame] = following
        else:
            del self._shown[page.frame]

    def _refresh(self, frame: int) -> None:
        page: Page | None = self._shown[frame]
        while page is not None:
            self._store(page)
            page = page.next

    def _store(self, page: Page) -> None:
        frame, rights = page.frame, page.rights
        code = frame in self._executable
        data = frame in self.data_frames
        entry = frame | PRESENT | USER | self.tables.load(page.slot) & FLAGS
        if rights & WRITE_RIGHT and (data or not code):
            entry |= WRITABLE
        if not rights & EXECUTE_RIGHT or data:
            entry |= NO_EXECUTE
        self.tables.store(page.slot, entry)
