"""Kernels with a mistake: the real one's source with one place changed, loaded beside it.

Everything is loaded from ``.py`` files, whether the installed kernel is compiled or not.
"""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent.parent
DESK = "tests.kernel.desk"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A change of the source of `module`: the one place that reads `right` reads `wrong`."""

    module: str
    right: str
    wrong: str


def load_desk(mistake: Mistake | None = None) -> ModuleType:
    """Load `tests.kernel.desk` anew, over a kernel of its own with this mistake."""
    ours = [name for name in sys.modules if _is_ours(name)]
    kept = {name: sys.modules.pop(name) for name in ours}
    parent = importlib.import_module("tests.kernel")
    desk_before = getattr(parent, "desk", None)
    finder = _Finder(mistake)
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module(DESK)
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _is_ours(name)]:
            del sys.modules[name]
        sys.modules.update(kept)
        if desk_before is not None:
            parent.desk = desk_before  # type: ignore[attr-defined]


def _is_ours(name: str) -> bool:
    return name in ("kernel", DESK) or name.startswith("kernel.")


class _Finder(MetaPathFinder):
    def __init__(self, mistake: Mistake | None) -> None:
        self.mistake = mistake

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _is_ours(name):
            return None
        package = name == "kernel"
        place = "kernel/__init__" if package else name.replace(".", "/")
        loader = _Loader(ROOT / f"{place}.py", self.mistake, package=package)
        return spec_from_loader(name, loader, origin=str(loader.path), is_package=package)


class _Loader(InspectLoader):
    def __init__(self, path: Path, mistake: Mistake | None, *, package: bool) -> None:
        self.path = path
        self.mistake = mistake
        self.package = package

    def is_package(self, fullname: str) -> bool:
        return self.package

    def get_source(self, fullname: str) -> str:
        source = self.path.read_text()
        if self.mistake is not None and fullname == self.mistake.module:
            assert source.count(self.mistake.right) == 1, f"{fullname} has changed"
            source = source.replace(self.mistake.right, self.mistake.wrong)
        return source

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self.path)  # the kernel asks whether it is compiled
        super().exec_module(module)
