"""Building the compiled engine: all of it or nothing.

Compiled are the native engine (emu/native_engine.pyx) and every module that has a .pxd of
its name beside it; they stay the Python sources that they are.  Without a C compiler, or
with L4LAB_PURE=1, nothing is built and everything runs as Python: same traces, slower.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
PACKAGES = ("emu", "kernel", "lab")
DIRECTIVES = {
    "language_level": 3,
    # Types come from the .pxd files; annotations are for mypy.
    "annotation_typing": False,
    # The sources keep within bounds and use no negative index.
    "boundscheck": False,
    "wraparound": False,
}


def sources() -> list[Path]:
    """List what is compiled."""
    found: list[Path] = []
    for package in PACKAGES:
        folder = ROOT / package
        typed = (path.with_suffix(".py") for path in folder.rglob("*.pxd"))
        found += [path for path in typed if path.exists()]
        found += folder.rglob("*.pyx")
    return sorted(path.relative_to(ROOT) for path in found)


def extensions() -> list[Extension]:
    """Translate the sources to C; none if that is not wanted or not possible."""
    if os.environ.get("L4LAB_PURE") == "1":
        remove_built(ROOT)
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        return []
    modules = [
        Extension(".".join(path.with_suffix("").parts), [str(path)], extra_compile_args=["-g0"])
        for path in sources()
    ]
    made: list[Extension] = cythonize(
        modules, compiler_directives=DIRECTIVES, build_dir="build/cython", quiet=True
    )
    return made


class AllOrNothing(build_ext):
    """Builds every extension, or leaves none behind: a mixture would be a third engine."""

    def finalize_options(self) -> None:
        """Use every CPU."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self) -> None:
        """Build; a failure is a note, not the end of the installation."""
        try:
            super().run()
        except Exception as error:  # whatever a compiler may do
            print(f"l4lab: no compiled engine: {error}", file=sys.stderr)
            self.extensions = []
            remove_built(ROOT)
            remove_built(Path(self.build_lib))


def remove_built(folder: Path) -> None:
    """Remove compiled modules."""
    for package in PACKAGES:
        for path in (folder / package).rglob("*.so"):
            path.unlink()


setup(ext_modules=extensions(), cmdclass={"build_ext": AllOrNothing})
