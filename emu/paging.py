"""Page tables in guest memory: four levels on amd64, PAE on ia32, pages of 4 KiB.

Rule 1: page tables lie in a physical window that no page table maps for user level.
Rule 2: everything without the right to execute carries NX (stores to other pages are
four to ten times slower in the emulator, and it is what the hardware does).
Rule 3: the tables of the top of the address space are one set, shared by all spaces.
"""

from emu.errors import BadMappingError, OutOfTablesError
from emu.memory import PAGE, TABLES_BASE, Window

PRESENT = 1
WRITABLE = 2
USER = 4
NO_EXECUTE = 1 << 63
ACCESSED = 0x20  # set by the CPU (Intel SDM vol. 3, 4.8)
DIRTY = 0x40
STICKY_SHIFT = 4  # ours, in bits that the CPU ignores: what was set before it was cleared
FLAGS = (ACCESSED | DIRTY) * (1 + (1 << STICKY_SHIFT))
_FRAME = 0x000F_FFFF_FFFF_F000
_TABLE = PRESENT | WRITABLE | USER

EXECUTE_RIGHT = 1
WRITE_RIGHT = 2
READ_RIGHT = 4

AMD64_USER_END = 0x7FFF_FFFF_F000  # the last page stays free, as in every amd64 kernel
IA32_USER_END = 0xC000_0000

# Supervisor pages at the top of every address space.
AMD64_TOP = 0xFFFF_FFFF_C000_0000
IA32_TOP = 0xC000_0000
SYSTEM_OFFSET = 0x3F00_0000  # 16 MiB below the end, for stubs and descriptor tables


class PageTables:
    """The allocator of table pages and the tables that all spaces share."""

    __slots__ = ("_free", "_next", "_top", "_window", "_words", "is_amd64", "user_end")

    def __init__(self, window: Window, *, is_amd64: bool) -> None:
        self._window = window
        self._words = memoryview(window.memory).cast("Q")
        self._next = window.base
        self._free: list[int] = []
        self.is_amd64 = is_amd64
        # The first address that no space may map.
        self.user_end = AMD64_USER_END if is_amd64 else IA32_USER_END
        # The page directory (ia32) or directory pointer table (amd64) of the top.
        self._top = self.take_page()

    @property
    def top(self) -> int:
        """The first address of the part of the address space that all spaces share."""
        return AMD64_TOP if self.is_amd64 else IA32_TOP

    @property
    def system(self) -> int:
        """The first address of the supervisor pages."""
        return self.top + SYSTEM_OFFSET

    def take_page(self) -> int:
        """Take a zeroed page of the window."""
        if self._free:
            page = self._free.pop()
            offset = page - self._window.base
            self._window.memory[offset : offset + PAGE] = bytes(PAGE)
            return page
        if self._next >= self._window.base + self._window.size:
            raise OutOfTablesError(self._window.size)
        self._next += PAGE
        return self._next - PAGE

    def create_root(self) -> int:
        """Make the tables of an empty space and give the value for CR3."""
        root = self.take_page()
        if self.is_amd64:
            self.store(root + 8 * 511, self._top | PRESENT | WRITABLE | USER)
        else:
            for index in range(3):
                try:
                    page = self.take_page()
                except OutOfTablesError:
                    self._release(root, 3)
                    raise
                self.store(root + 8 * index, page | PRESENT)
            self.store(root + 8 * 3, self._top | PRESENT)
        return root

    def destroy_root(self, root: int) -> None:
        """Give the tables of a space back."""
        self._release(root, 4 if self.is_amd64 else 3)

    def slot(self, root: int, address: int) -> int:
        """Give the place of the page table entry for `address`, making the tables above it.

        It stays where it is until the root is destroyed.
        """
        table = root
        if self.is_amd64:
            table = self._descend(table, (address >> 39) & 511)
            table = self._descend(table, (address >> 30) & 511)
        else:
            table = self.load(root + 8 * (address >> 30)) & _FRAME
        table = self._descend(table, (address >> 21) & 511)
        return table + 8 * ((address >> 12) & 511)

    def load(self, slot: int) -> int:
        """Load the entry at a slot."""
        return self._words[(slot - TABLES_BASE) // 8]

    def store(self, slot: int, entry: int) -> None:
        """Store the entry at a slot."""
        self._words[(slot - TABLES_BASE) // 8] = entry

    def map_system(self, address: int, page: int, bits: int) -> None:
        """Map a page of the tables window into the shared top of all spaces."""
        table = self._top
        if self.is_amd64:
            table = self._descend(table, (address >> 30) & 511)
        table = self._descend(table, (address >> 21) & 511)
        self.store(table + 8 * ((address >> 12) & 511), page | bits)

    def check(self, address: int, frame: int) -> None:
        """Refuse an address that is not a page of user space."""
        if address % PAGE or frame % PAGE:
            raise BadMappingError(address, frame, "misaligned")
        if not 0 <= address < self.user_end:
            raise BadMappingError(address, frame, f"not below {self.user_end:#x}")

    def _descend(self, table: int, index: int) -> int:
        slot = table + 8 * index
        entry = self.load(slot)
        if not entry:
            entry = self.take_page() | _TABLE
            self.store(slot, entry)
        return entry & _FRAME

    def _release(self, table: int, levels: int) -> None:
        if levels > 1:
            for index in range(512 if levels < 3 or self.is_amd64 else 4):
                below = self.load(table + 8 * index) & _FRAME
                if below and below != self._top:
                    self._release(below, levels - 1)
        self._free.append(table)
