"""A matrix: what a sweep varies, from TOML.

scenario  = "new_service-c-O2"
arch      = ["amd64", "ia32"]
inject    = ["first-touch", "may-ipc"]

[images]                      # of a task, instead of the scenario's
server    = ["server-O0.elf", "server-O2.elf"]

[words]                       # a word at a symbol, before the run
"client.count" = [1, 2, 63]

[reply]                       # every reply of a thread has so many words
server    = [0, 1, 2]
"""

from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

from guest.scenario import PROGRAMS, load_scenario
from guest.table import Table, check_known, quote
from guest.toml import read_toml
from kernel.abi import ARCHES
from kernel.utcb import MR_COUNT

_LIMIT = 1 << 18  # bytes of a file
MOST = 100_000  # combinations
INJECTIONS = ("first-touch", "may-ipc")


@dataclass(frozen=True, slots=True)
class Case:
    """One combination."""

    arch: str
    images: tuple[tuple[str, str], ...]  # task and path
    words: tuple[tuple[str, int], ...]  # TASK.SYMBOL and value
    replies: tuple[tuple[str, int], ...]  # thread and words

    def __str__(self) -> str:
        parts = [self.arch]
        parts += (f"{task}={Path(path).name}" for task, path in self.images)
        parts += (f"{where}={value}" for where, value in self.words)
        parts += (f"{thread} replies {words}" for thread, words in self.replies)
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Matrix:
    """What a matrix file says."""

    path: Path
    text: str
    scenario: Path | str  # a file, or the name of one that comes along
    cases: tuple[Case, ...]
    injections: tuple[str, ...]


def load_matrix(path: Path) -> Matrix:
    """Read a matrix; each mistake is one GuestError with its key."""
    text, content = read_toml(path, limit=_LIMIT, what="matrix")
    top = Table(str(path), "", content)
    name = top.string("scenario")
    near = path.parent / name
    where = near if near.is_file() else name
    arches = top.strings("arch")
    injections = top.strings("inject")
    for kind in injections:
        check_known(kind, frozenset(INJECTIONS), "injection", partial(top.error, "inject"))
    scenario = load_scenario(where, arch=arches[0] if arches else None)
    for arch in arches:
        known = frozenset(each.name for each in scenario.arches)
        check_known(arch, known, "architecture of the scenario", partial(top.error, "arch"))
    tasks = frozenset(task.name for task in scenario.tasks)
    threads = frozenset(thread.full_name for thread in scenario.threads)
    images = _images(top.table("images"), tasks, path.parent)
    words = _words(top.table("words"), tasks, scenario.arch.mask)
    replies = _replies(top.table("reply"), threads)
    top.finish()
    axes = [*images, *words, *replies]
    count = max(len(arches), 1)
    for axis in axes:
        count *= len(axis)
    if count > MOST:
        raise top.error(None, f"{count:,} combinations, at most {MOST:,}")
    cases = [
        Case(
            arch,
            images=chosen[: len(images)],
            words=tuple((at, int(value)) for at, value in chosen[len(images) :][: len(words)]),
            replies=tuple(
                (who, int(value)) for who, value in chosen[len(images) + len(words) :]
            ),
        )
        for arch in arches or (scenario.arch.name,)
        for chosen in product(*axes)
    ]
    return Matrix(path, text, where, tuple(cases), injections)


_Axis = list[tuple[str, str]]  # what is varied, and its values as texts


def _images(table: Table, tasks: frozenset[str], folder: Path) -> list[_Axis]:
    axes: list[_Axis] = []
    for task in table.untaken():
        check_known(task, tasks, "task", partial(table.error, task))
        paths = table.strings(task)
        axes.append([(task, str(_find(path, folder, table, task))) for path in paths])
    return _checked(axes, table)


def _find(name: str, folder: Path, table: Table, key: str) -> Path:
    for path in (folder / name, PROGRAMS / name):
        if any(Path(str(path).replace("{arch}", arch)).is_file() for arch in ARCHES):
            return path
    raise table.error(key, f"no file {quote(name)}")


def _words(table: Table, tasks: frozenset[str], mask: int) -> list[_Axis]:
    axes: list[_Axis] = []
    for key in table.untaken():
        task, dot, symbol = key.partition(".")
        if not dot or not symbol:
            raise table.error(key, "expected TASK.SYMBOL")
        check_known(task, tasks, "task", partial(table.error, key))
        values = table.integers(key, low=0, high=mask)
        axes.append([(key, str(value)) for value in values])
    return _checked(axes, table)


def _replies(table: Table, threads: frozenset[str]) -> list[_Axis]:
    axes: list[_Axis] = []
    for thread in table.untaken():
        check_known(thread, threads, "thread", partial(table.error, thread))
        values = table.integers(thread, low=0, high=MR_COUNT)
        axes.append([(thread, str(value)) for value in values])
    return _checked(axes, table)


def _checked(axes: list[_Axis], table: Table) -> list[_Axis]:
    if any(not axis for axis in axes):
        raise table.error(None, "an empty list: expected one value or more")
    return axes
