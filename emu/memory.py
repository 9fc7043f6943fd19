"""Physical memory: three windows of host memory that every CPU sees.

Rule 1: RAM and the shared window may be mapped by guests, the tables window never.
Rule 2: all windows lie below 4 GiB, so that one layout serves both architectures.
"""

import ctypes
import mmap
from dataclasses import dataclass

from emu.errors import BadConfigError, NotInMemoryError

PAGE = 4096
SHARED_BASE = 0x8000_0000
SHARED_SIZE = 32 << 20
TABLES_BASE = 0xC000_0000
TABLES_SIZE = 128 << 20
RAM_LIMIT = SHARED_BASE

_ZERO_PAGE = bytes(PAGE)
_CHUNK = 64 * PAGE
_CHUNK_PAGES = _CHUNK // PAGE
_ZERO_CHUNK = bytes(_CHUNK)
_PRESENT = 0x40  # and more, in an entry's top byte: in memory (bit 63) or swapped out (62)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A range of physical addresses and the host memory behind it."""

    base: int
    size: int
    memory: mmap.mmap
    host_address: int

    def non_zero_pages(self) -> list[tuple[int, bytes]]:
        """List the pages that hold anything, by physical address, with their bytes."""
        pages: list[tuple[int, bytes]] = []
        held_by = _tops_of_pages(self.host_address, self.size)
        for chunk in range(0, self.size, _CHUNK):
            first = chunk // PAGE
            if held_by and max(held_by[first : first + _CHUNK_PAGES]) < _PRESENT:
                continue
            held = self.memory[chunk : chunk + _CHUNK]
            if held == _ZERO_CHUNK[: len(held)]:
                continue
            for at in range(0, len(held), PAGE):
                page = held[at : at + PAGE]
                if page != _ZERO_PAGE:
                    pages.append((self.base + chunk + at, page))
        return pages


class Memory:
    """RAM, the memory shared with the kernel, and the window of the page tables."""

    __slots__ = ("ram", "shared", "tables")

    def __init__(self, ram: int) -> None:
        if ram % PAGE or not PAGE <= ram <= RAM_LIMIT:
            raise BadConfigError(f"ram of {ram:#x} bytes, not whole pages up to {RAM_LIMIT:#x}")
        self.ram = _window(0, ram)
        self.shared = _window(SHARED_BASE, SHARED_SIZE)
        self.tables = _window(TABLES_BASE, TABLES_SIZE)

    def windows(self) -> tuple[Window, Window, Window]:
        """Give all windows, in the order of their addresses."""
        return self.ram, self.shared, self.tables

    def words(self, *, wide: bool) -> tuple[memoryview, memoryview]:
        """View RAM and the shared window as machine words."""
        ram, shared = memoryview(self.ram.memory), memoryview(self.shared.memory)
        if wide:
            return ram.cast("Q"), shared.cast("Q")
        return ram.cast("I"), shared.cast("I")

    def is_guest_frame(self, frame: int) -> bool:
        """Tell whether a guest may have this page frame mapped."""
        in_ram = 0 <= frame < self.ram.size
        return frame % PAGE == 0 and (
            in_ram or SHARED_BASE <= frame < SHARED_BASE + SHARED_SIZE
        )

    def locate(self, address: int, size: int) -> tuple[mmap.mmap, int]:
        """Find the host memory and the offset in it of a physical range guests can reach."""
        for window in (self.ram, self.shared):
            offset = address - window.base
            if offset >= 0 and size >= 0 and offset + size <= window.size:
                return window.memory, offset
        raise NotInMemoryError(address, size)

    def read(self, address: int, size: int) -> bytes:
        """Read bytes at a physical address."""
        memory, offset = self.locate(address, size)
        return memory[offset : offset + size]

    def write(self, address: int, data: bytes) -> None:
        """Write bytes at a physical address."""
        memory, offset = self.locate(address, len(data))
        memory[offset : offset + len(data)] = data


def _tops_of_pages(address: int, size: int) -> bytes | None:
    """Give the top byte of each page's entry in the host's page map; None if it has none.

    A page that is neither in memory nor swapped out was never written (Linux,
    Documentation/admin-guide/mm/pagemap.rst).  Looking at every page instead takes 30 ms.
    """
    if mmap.PAGESIZE != PAGE:
        return None
    try:
        with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
            pagemap.seek(address // PAGE * 8)
            entries = pagemap.read(size // PAGE * 8)
    except OSError:
        return None
    return entries[7::8] if len(entries) == size // PAGE * 8 else None


def _window(base: int, size: int) -> Window:
    # Private, so that looking at a page that was never written allocates nothing.
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return Window(base, size, memory, address)
