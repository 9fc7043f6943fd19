"""The boot loader's table of modules, as a root task finds it (ABI 8.2).

Rule 1: everything here is bytes at physical addresses; what is reserved is the boot's
business.

The layout is that of `l4util_l4mod_info` and `l4util_l4mod_mod` (`l4/util/l4mod.h`): fields of
64 bits on both architectures.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from kernel.abi import PAGE_SIZE

# What a module is, in its flags.
OTHER = 0
SIGMA0 = 2
ROOT = 3

_INFO = struct.Struct("<QQQIIQQ")  # flags, the kernel's command line, modules, count
_MODULE = struct.Struct("<QQQQ")  # flags, start, end, command line
_KERNEL = "l4lab"  # the kernel's command line


class Module(NamedTuple):
    """A module: where it lies, or what is to be put somewhere."""

    kind: int
    command: str  # its command line, which begins with its name
    start: int = 0
    end: int = 0
    content: bytes | None = None


class Placed(NamedTuple):
    """The table, which begins at `base`, and behind it what the modules contain."""

    base: int
    data: bytes


def place(modules: Sequence[Module], *, end: int) -> Placed:
    """Put modules and their table into the memory that ends at `end`, on whole pages.

    The table and the command lines come first, then each content on pages of its own.
    """
    strings = b"".join(
        text.encode() + b"\0" for text in (_KERNEL, *(m.command for m in modules))
    )
    head = _INFO.size + len(modules) * _MODULE.size + len(strings)
    sizes = [_pages(head), *map(_room, modules)]
    base = end - sum(sizes)
    text = base + _INFO.size + len(modules) * _MODULE.size
    at = base + sizes[0]
    info = _INFO.pack(0, text, base + _INFO.size, len(modules), 0, 0, 0)
    table, contents = b"", b""
    text += len(_KERNEL) + 1
    for module, size in zip(modules, sizes[1:], strict=True):
        start, stop = module.start, module.end
        if module.content is not None:
            start, stop = at, at + len(module.content)
            contents += module.content.ljust(size, b"\0")
            at += size
        table += _MODULE.pack(module.kind, start, stop, text)
        text += len(module.command.encode()) + 1
    return Placed(base, (info + table + strings).ljust(sizes[0], b"\0") + contents)


def _room(module: Module) -> int:
    # What is empty has a place, too.
    return 0 if module.content is None else max(_pages(len(module.content)), PAGE_SIZE)


def _pages(size: int) -> int:
    return -(-size // PAGE_SIZE) * PAGE_SIZE
