"""Functions that may do IPC, as a scenario names them, and breaks where they are entered."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from emu.machine import Machine
from guest.demangle import demangle
from guest.image import Image


def break_at_functions(
    machine: Machine, programs: Iterable[tuple[int, Image]], globs: Sequence[str]
) -> dict[tuple[int, int], str]:
    """Let a machine stop before functions whose short names match; in spaces with programs.

    Gives their names by space and address.
    """
    found = {
        (space, symbol.address): name
        for space, image in programs
        for symbol in image.symbols
        if any(
            fnmatchcase(name := demangle(symbol.name).rpartition("::")[2], glob)
            for glob in globs
        )
    }
    for space in sorted({space for space, _ in found}):
        machine.set_breaks(space, frozenset(at for of, at in found if of == space))
    return found
