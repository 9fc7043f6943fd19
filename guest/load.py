"""Loading an image: an assembly source is assembled, anything else is read as ELF."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from guest.assemble import assemble_all
from guest.elf import load_elfs
from guest.image import Image
from kernel.abi import Arch


def load_images(
    paths: Iterable[Path], arch: Arch, *, folders: Sequence[Path] = ()
) -> list[Image]:
    """Load several programs, in order; each file once, and several at the same time."""
    wanted = list(paths)
    distinct = list(dict.fromkeys(wanted))
    sources = [path for path in distinct if path.suffix in (".s", ".S")]
    assembled = assemble_all([(path, arch) for path in sources], folders=folders)
    loaded = dict(zip(sources, assembled, strict=True))
    others = [path for path in distinct if path not in loaded]
    loaded |= zip(others, load_elfs(others, arch), strict=True)
    return [loaded[path] for path in wanted]
