"""Scenarios: which tasks, threads, gates and capabilities a run starts with, from TOML.

Everything that can be checked without loading an image is checked here, and each mistake is
one `GuestError` with the path of its key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from functools import partial
from pathlib import Path

from guest.errors import GuestError
from guest.host import HostCall
from guest.table import MAX_ITEMS, Table, check_known, did_you_mean, expected, quote
from guest.toml import parse_toml, read_toml
from kernel import abi
from kernel.abi import ARCHES, Arch, Rights

SCENARIOS = Path(__file__).parent / "scenarios"
PROGRAMS = Path(__file__).parent / "programs"
CORPUS = Path(__file__).parent / "corpus"

MAX_FILE = 256 << 10
MAX_THREADS = 1024
MAX_CYCLES = (1 << 63) - 1
MAX_RAM = 2 << 30
MIN_RAM = 1 << 20
MAX_STACK = 64 << 20
_MAX_ARGUMENTS = 1024  # characters
_MAX_NAME = 16  # bytes, as in L4Re's table of capabilities
DEFAULT_CYCLES = 100_000_000
DEFAULT_RAM = 64 << 20
DEFAULT_STACK = 16 << 10

_FILE = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_IN_CORPUS = re.compile(r"(?:[0-9]{2}_|innocent/)[A-Za-z0-9_/-]{1,128}")
_INITIAL = {
    abi.CAP_TASK: "the task",
    abi.CAP_FACTORY: "the factory",
    abi.CAP_THREAD: "the first thread",
    abi.CAP_PAGER: "the pager",
    abi.CAP_LOG: "the log",
    abi.CAP_SCHEDULER: "the scheduler",
}
_CONSOLE_LIMIT = 64 << 10  # bytes of input
_RIGHTS = {"r": Rights.R, "w": Rights.W, "s": Rights.S, "d": Rights.D, "g": Rights.SERVER}
_DEFAULT_RIGHTS = Rights.R | Rights.W | Rights.S


class CapKind(Enum):
    """What a capability refers to."""

    GATE = "gate"
    THREAD = "thread"
    TASK = "task"
    IRQ = "irq"
    SEMAPHORE = "semaphore"
    LOG = "log"
    FACTORY = "factory"
    SCHEDULER = "scheduler"
    ICU = "icu"
    DEBUGGER = "debugger"


_NAMED = frozenset((CapKind.GATE, CapKind.THREAD, CapKind.TASK, CapKind.IRQ, CapKind.SEMAPHORE))


class Outcome(Enum):
    """How a run ends."""

    IDLE = "idle"
    FAULT = "fault"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class CapSpec:
    """A capability of a task; `name` is empty for the kernel's own objects."""

    index: int
    kind: CapKind
    name: str
    rights: Rights


@dataclass(frozen=True, slots=True)
class ThreadSpec:
    """A thread; the first of a task has an empty `name`, its `entry` is the image's if None.

    `pager` and `handler` are full thread names.
    """

    task: str
    name: str
    entry: str | None
    priority: int
    stack: int
    pager: str | None
    handler: str | None
    argument: int
    key: str  # where it is written, for errors found later

    @property
    def full_name(self) -> str:
        """The name in reports: TASK for the first thread, TASK.NAME for others."""
        return f"{self.task}.{self.name}" if self.name else self.task


class Start(StrEnum):
    """What a task's first thread finds when it starts (ABI 8)."""

    PLAIN = "plain"  # an empty stack
    L4RE = "l4re"  # arguments, auxiliary vector and environment of an L4Re program
    SIGMA0 = "sigma0"  # physical memory, one to one
    ROOT = "root"  # loaded one to one, and sigma0 for a pager


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task: `image` is the file to load; `threads` begins with its first thread.

    `kip` says that the kernel info page is mapped in it.  A program of L4Re is given
    `arguments` besides its name, and capabilities by `names`.  With `pf_trampoline` its
    threads may handle their own page faults (ABI 5.5).
    """

    name: str
    image: Path
    caps: tuple[CapSpec, ...]
    threads: tuple[ThreadSpec, ...]
    kip: bool = False
    start: Start = Start.PLAIN
    arguments: tuple[str, ...] = ()
    names: Mapping[str, int] = field(default_factory=dict)
    pf_trampoline: bool = False


@dataclass(frozen=True, slots=True)
class GateSpec:
    """An IPC gate, bound to `thread`."""

    name: str
    thread: str
    label: int


@dataclass(frozen=True, slots=True)
class IrqSpec:
    """An interrupt, bound to `thread` if that is not None, that occurs at the cycles `at`."""

    name: str
    thread: str | None
    label: int
    at: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModuleSpec:
    """A module that the boot loader hands to the root task; `command` begins with its name."""

    command: str
    text: str


@dataclass(frozen=True, slots=True)
class Functions:
    """What the checker is told about functions: globs on short names."""

    ipc_safe: tuple[str, ...] = ()
    may_ipc: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expect:
    """What a run must yield; None is not checked.

    `findings` is a list of partial findings, or "any".  `memory` maps (task, symbol) to
    the word expected there.
    """

    outcome: Outcome | None = None
    console: str | None = None
    findings: tuple[Mapping[str, str | int], ...] | str | None = None
    memory: Mapping[tuple[str, str], int] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario, complete and consistent; images are not loaded yet.

    `arches` are all architectures it exists for, `arch` the one chosen.  `text` is the
    file's content, for traces.  `host` is what a thread of the host's does besides; None:
    there is no such thread.
    """

    title: str
    name: str
    path: Path
    arch: Arch
    arches: tuple[Arch, ...]
    cycles: int
    ram: int
    tasks: tuple[TaskSpec, ...]
    gates: tuple[GateSpec, ...]
    irqs: tuple[IrqSpec, ...]
    semaphores: tuple[str, ...]
    functions: Functions
    library: tuple[str, ...]
    expect: Expect
    text: str
    console_input: bytes = b""
    host: tuple[HostCall, ...] | None = None
    modules: tuple[ModuleSpec, ...] = ()

    @property
    def threads(self) -> tuple[ThreadSpec, ...]:
        """All threads, in the order in which they start."""
        return tuple(thread for task in self.tasks for thread in task.threads)


def shipped_scenarios() -> list[str]:
    """Give the names of the scenarios that come along, sorted."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def find_scenario(where: str | Path) -> Path:
    """Give the file of a scenario: a path, or the bare name of one that comes along.

    Those of the corpus are called CASE/SCENARIO.
    """
    text = str(where)
    if _IN_CORPUS.fullmatch(text) and not Path(text).exists():
        path = CORPUS / f"{text}.toml"
        if path.is_file():
            return path
    if isinstance(where, Path) or "/" in text or text.endswith(".toml") or Path(text).is_file():
        return Path(where)
    path = SCENARIOS / f"{text}.toml"
    if _FILE.fullmatch(text) is None or not path.is_file():
        hint = did_you_mean(text, shipped_scenarios())
        raise GuestError(f"no scenario of this name{hint}: see `l4lab list`", file=text[:200])
    return path


def load_scenario(where: str | Path, *, arch: str | None = None) -> Scenario:
    """Read and check a scenario; `arch` chooses among its architectures, the first if None."""
    path = find_scenario(where)
    text, content = read_toml(path, limit=MAX_FILE, what="scenario")
    return _scenario(Table(str(path), "", content), path, text, arch)


def parse_scenario(text: str, *, path: Path, arch: str | None = None) -> Scenario:
    """Check the text of a scenario that is no file; images are looked for beside `path`."""
    table = Table(str(path), "", parse_toml(text, file=str(path)))
    return _scenario(table, path, text, arch)


def restore_scenario(text: str, *, path: Path, arch: str) -> Scenario:
    """Check the text of a scenario whose images are not files, but come from a trace.

    `path` is what it is called; nothing is read there.
    """
    table = Table(str(path), "", parse_toml(text, file=str(path)))
    return _scenario(table, path, text, arch, has_files=False)


def with_images(scenario: Scenario, images: Mapping[str, str | Path]) -> Scenario:
    """Give a scenario some of whose tasks run other programs, by their names.

    A program is a path, or relative to the scenario or to the programs that ship.
    """
    known = [task.name for task in scenario.tasks]
    table = Table(str(scenario.path), "", {})
    for name in images:
        check_known(name, frozenset(known), "task", partial(table.error, "image"))
    tasks = [
        replace(task, image=_find_image(str(images[task.name]), table, scenario.path))
        if task.name in images
        else task
        for task in scenario.tasks
    ]
    return replace(scenario, tasks=tuple(tasks))


@dataclass(frozen=True, slots=True)
class _Names:
    """What can be referred to; the values are those of `CapKind`."""

    threads: frozenset[str]
    tasks: frozenset[str]
    gates: frozenset[str]
    irqs: frozenset[str]
    semaphores: frozenset[str]

    def of(self, kind: CapKind) -> frozenset[str]:
        return {
            CapKind.THREAD: self.threads,
            CapKind.TASK: self.tasks,
            CapKind.GATE: self.gates,
            CapKind.IRQ: self.irqs,
            CapKind.SEMAPHORE: self.semaphores,
        }[kind]


def _scenario(
    top: Table, path: Path, text: str, chosen: str | None, *, has_files: bool = True
) -> Scenario:
    title = top.string("title")
    arch, arches = _arch(top, chosen)
    cycles = top.integer("cycles", DEFAULT_CYCLES, low=1, high=MAX_CYCLES)
    ram = top.size("ram", DEFAULT_RAM, low=MIN_RAM, high=MAX_RAM)
    tasks, gates, irqs = top.tables("task"), top.tables("gate"), top.tables("irq")
    semaphores, functions = top.tables("semaphore"), top.table("functions")
    modules = top.tables("module")
    expect, library = top.table("expect"), top.table("library")
    console = top.table("console")
    top.finish()
    if not tasks:
        raise top.error("task", "no task: expected at least one [[task]]")

    near = path if has_files else None
    # Names come first: references may point forward.
    task_names = _unique(tasks)
    thread_tables = [task.tables("thread") for task in tasks]
    count = len(tasks) + sum(map(len, thread_tables))
    if count > MAX_THREADS:
        raise top.error("task", f"{count} threads, at most {MAX_THREADS}")
    thread_names = [_unique(tables) for tables in thread_tables]
    threads = [
        full
        for task, names in zip(task_names, thread_names, strict=True)
        for full in (task, *(f"{task}.{name}" for name in names))
    ]
    names = _Names(
        threads=frozenset(threads),
        tasks=frozenset(task_names),
        gates=frozenset(gate_names := _unique(gates)),
        irqs=frozenset(irq_names := _unique(irqs)),
        semaphores=frozenset(semaphore_names := _unique(semaphores)),
    )
    for semaphore in semaphores:
        semaphore.finish()
    return Scenario(
        title=title,
        name=path.stem,
        path=path,
        arch=arch,
        arches=arches,
        cycles=cycles,
        ram=ram,
        tasks=tuple(
            _task(table, name, list(zip(tables, its_names, strict=True)), names, arch, near)
            for table, name, tables, its_names in zip(
                tasks, task_names, thread_tables, thread_names, strict=True
            )
        ),
        gates=tuple(_gate(*item, names, arch) for item in zip(gates, gate_names, strict=True)),
        irqs=tuple(_irq(*item, names, arch) for item in zip(irqs, irq_names, strict=True)),
        semaphores=tuple(semaphore_names),
        console_input=_console_input(console),
        modules=tuple(map(_module, modules)),
        functions=_functions(functions),
        library=_library(library),
        expect=_expect(expect, names, arch),
        text=text,
    )


def _module(table: Table) -> ModuleSpec:
    command, text = table.string("command"), table.string("text", "")
    if not command.strip() or not command.isprintable() or len(command) > _MAX_ARGUMENTS:
        what = f"expected a name, and perhaps arguments, of at most {_MAX_ARGUMENTS} characters"
        raise table.error("command", what)
    table.finish()
    return ModuleSpec(command, text)


def _arch(top: Table, chosen: str | None) -> tuple[Arch, tuple[Arch, ...]]:
    value = top.take("arch")
    known = ", ".join(f'"{name}"' for name in ARCHES)
    found: list[str] = []
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, str) or item not in ARCHES:
            raise top.error("arch", expected(f"one of {known}, or a list of them", item))
        if item in found:
            raise top.error("arch", f'"{item}" is named twice')
        found.append(item)
    if not found:
        raise top.error("arch", f"an empty list: expected {known}")
    if chosen is not None and chosen not in found:
        given = ", ".join(f'"{name}"' for name in found)
        raise top.error("arch", f"{quote(chosen)} was asked for, this scenario has {given}")
    return ARCHES[chosen or found[0]], tuple(ARCHES[name] for name in found)


def _unique(tables: list[Table]) -> list[str]:
    found: dict[str, str] = {}
    for table in tables:
        name = table.name()
        if name in found:
            raise table.error("name", f'"{name}" is the name of {found[name]} already')
        found[name] = table.key
    return list(found)


def _task(
    table: Table,
    name: str,
    threads: list[tuple[Table, str]],
    names: _Names,
    arch: Arch,
    path: Path | None,
) -> TaskSpec:
    image = _image(table, arch, path)
    first = _thread(table, name, "", names, arch, None)
    caps = _caps(table.table("caps"), names, arch, pager=first.pager is not None)
    kip = table.boolean("kip", default=False)
    trampoline = table.boolean("pf_trampoline", default=False)
    start = _start(table)
    arguments, named = _given(table, start, caps)
    # Keys of further threads, which were taken already.
    table.take("thread")
    table.finish()
    others = tuple(
        _thread(inner, name, inner_name, names, arch, first) for inner, inner_name in threads
    )
    if start in (Start.SIGMA0, Start.ROOT) and others:
        raise table.error("thread", f"a task that starts as {start} makes its threads itself")
    if start is Start.SIGMA0 and (first.pager or first.handler):
        raise table.error("pager", "sigma0 has no pager: the kernel serves its page faults")
    return TaskSpec(
        name, image, caps, (first, *others), kip, start, arguments, named, trampoline
    )


def _start(table: Table) -> Start:
    kinds = [kind.value for kind in Start]
    value = table.string("start", Start.PLAIN)
    if value not in kinds:
        hint = did_you_mean(value, kinds)
        raise table.error(
            "start", f"unknown start {quote(value)}{hint}: expected one of {', '.join(kinds)}"
        )
    return Start(value)


def _given(
    table: Table, start: Start, caps: tuple[CapSpec, ...]
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Take the arguments and named capabilities of an L4Re program."""
    keys = [key for key in ("arguments", "names") if table.has(key)]
    if keys and start is not Start.L4RE:
        raise table.error(keys[0], 'only programs with start = "l4re" are given any')
    arguments = table.strings("arguments")
    if sum(map(len, arguments)) > _MAX_ARGUMENTS:
        raise table.error("arguments", f"more than {_MAX_ARGUMENTS} characters")
    indices = {cap.index for cap in caps}
    names: dict[str, int] = {}
    inner = table.table("names")
    for name, index in inner.items():
        if not 0 < len(name.encode()) <= _MAX_NAME:
            raise inner.error(name, f"expected a name of at most {_MAX_NAME} bytes")
        if type(index) is not int or index not in indices:
            raise inner.error(name, expected("an index among the task's caps", index))
        names[name] = index
    return arguments, names


def _thread(
    table: Table, task: str, name: str, names: _Names, arch: Arch, first: ThreadSpec | None
) -> ThreadSpec:
    priority = table.integer(
        "priority",
        abi.PRIORITY_DEFAULT if first is None else first.priority,
        low=1,
        high=abi.PRIORITY_MAX,
    )
    stack = table.size("stack", DEFAULT_STACK, low=abi.PAGE_SIZE, high=MAX_STACK)
    pager = _reference(table, "pager", names.threads, "thread") if table.has("pager") else None
    handler = (
        _reference(table, "handler", names.threads, "thread") if table.has("handler") else None
    )
    table.take("pager")
    table.take("handler")
    entry: str | None = None
    argument = 0
    if first is not None:
        entry = _entry(table)
        argument = table.word("argument", 0, arch)
        table.finish()
    elif table.has("entry"):
        entry = _entry(table)
    return ThreadSpec(task, name, entry, priority, stack, pager, handler, argument, table.key)


def _entry(table: Table) -> str:
    """Take a symbol or an address."""
    value = table.take("entry")
    if type(value) is int and value > 0:
        return hex(value)
    if not isinstance(value, str) or not 0 < len(value) <= 4096 or "\0" in value:
        raise table.error("entry", expected("a symbol or an address", value))
    return value


def _image(table: Table, arch: Arch, path: Path | None) -> Path:
    text = table.string("image").replace("{arch}", arch.name)
    if not text or len(text) > 4096:
        raise table.error("image", "expected the name of a file")
    return Path(text) if path is None else _find_image(text, table, path)


def _find_image(text: str, table: Table, path: Path) -> Path:
    for folder in (path.parent, PROGRAMS):
        try:
            if (folder / text).is_file():
                return folder / text
        except (OSError, ValueError):
            continue
    hint = ""
    if "build" in Path(text).parts:
        ours = Path(text).parts[0] == "build"  # as scenarios that ship have it
        hint = ": run `make guests`" if ours else ": is it built?"
    raise table.error(
        "image", f"{quote(text)} is neither in {path.parent} nor in {PROGRAMS}{hint}"
    )


def _reference(table: Table, key: str, known: frozenset[str], kind: str) -> str:
    value = table.string(key)
    return check_known(value, known, kind, partial(table.error, key))


def _caps(table: Table, names: _Names, arch: Arch, *, pager: bool) -> tuple[CapSpec, ...]:
    found: dict[int, CapSpec] = {}
    for key, value in table.items():
        index = _index(key)
        if index is None or not 0 < index < arch.cap_limit:
            raise table.error(
                key, f"expected a capability index from 1 to {arch.cap_limit - 1:#x}"
            )
        if index in _INITIAL and (index != abi.CAP_PAGER or pager):
            raise table.error(key, f"capability {index} is {_INITIAL[index]} already")
        if index in found:
            raise table.error(key, f"capability {index:#x} is given twice")
        found[index] = _cap(table, key, value, index, names)
    return tuple(found[index] for index in sorted(found))


def _index(key: str) -> int | None:
    try:
        return int(key, 0) if len(key) < 20 and key.isascii() else None
    except ValueError:
        return None


def _cap(table: Table, key: str, value: object, index: int, names: _Names) -> CapSpec:
    if not isinstance(value, str):
        raise table.error(key, expected('a string such as "gate:NAME"', value))
    target, slash, letters = value.partition("/")
    word, colon, name = target.partition(":")
    kinds = [kind.value for kind in CapKind]
    if word not in kinds:
        hint = did_you_mean(word, kinds)
        raise table.error(
            key, f"unknown kind {quote(word)}{hint}: expected one of {', '.join(kinds)}"
        )
    kind = CapKind(word)
    if kind in _NAMED:
        if not colon:
            raise table.error(key, f"expected {word}:NAME, found {quote(value)}")
        check_known(name, names.of(kind), word, partial(table.error, key))
    elif colon:
        raise table.error(key, f"{word} takes no name, found {quote(value)}")
    rights = _DEFAULT_RIGHTS
    if slash:
        rights = Rights(0)
        for letter in letters:
            if letter not in _RIGHTS or rights & _RIGHTS[letter]:
                raise table.error(
                    key, f"rights {quote(letters)}: expected letters of rwsdg, each once"
                )
            rights |= _RIGHTS[letter]
        if not letters:
            raise table.error(key, "no rights after '/': expected letters of rwsdg")
    return CapSpec(index, kind, name, rights)


def _gate(table: Table, name: str, names: _Names, arch: Arch) -> GateSpec:
    spec = GateSpec(
        name, _reference(table, "thread", names.threads, "thread"), table.label(arch)
    )
    table.finish()
    return spec


def _irq(table: Table, name: str, names: _Names, arch: Arch) -> IrqSpec:
    thread = (
        _reference(table, "thread", names.threads, "thread") if table.has("thread") else None
    )
    table.take("thread")
    spec = IrqSpec(
        name,
        thread,
        # No rights are added to it: all bits are free.
        table.word("label", 0, arch),
        table.integers("at", low=0, high=MAX_CYCLES),
    )
    table.finish()
    if list(spec.at) != sorted(spec.at):
        raise table.error("at", "expected cycles in ascending order")
    return spec


def _console_input(table: Table) -> bytes:
    data = table.string("input", "").encode()
    table.finish()
    if len(data) > _CONSOLE_LIMIT:
        raise table.error("input", f"{len(data)} bytes, at most {_CONSOLE_LIMIT}")
    return data


def _functions(table: Table) -> Functions:
    found = Functions(table.strings("ipc_safe"), table.strings("may_ipc"))
    table.finish()
    return found


def _library(table: Table) -> tuple[str, ...]:
    found = table.strings("paths")
    table.finish()
    return found


def _expect(table: Table, names: _Names, arch: Arch) -> Expect:
    outcome: Outcome | None = None
    value = table.take("outcome")
    if value is not None:
        known = [item.value for item in Outcome]
        if not isinstance(value, str) or value not in known:
            raise table.error("outcome", expected(f"one of {', '.join(known)}", value))
        outcome = Outcome(value)
    console = table.take("console")
    if console is not None and not isinstance(console, str):
        raise table.error("console", expected("a string", console))
    findings = _findings(table)
    memory = _memory(table.table("memory"), names, arch) if table.has("memory") else None
    table.take("memory")
    table.finish()
    return Expect(outcome, console, findings, memory)


def _findings(table: Table) -> tuple[Mapping[str, str | int], ...] | str | None:
    value = table.take("findings")
    if value is None or value == "any":
        return None if value is None else "any"
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise table.error("findings", expected('a list of tables, or "any"', value))
    found: list[Mapping[str, str | int]] = []
    for index, item in enumerate(value):
        key = f"{table.path('findings')}[{index}]"
        if not isinstance(item, dict):
            raise GuestError(expected("a table", item), file=table.file, key=key)
        inner = Table(table.file, key, item)
        finding: dict[str, str | int] = {}
        for name, part in inner.items():
            if not isinstance(part, str) and type(part) is not int:
                raise inner.error(name, expected("a string or a number", part))
            finding[name] = part
        found.append(finding)
    return tuple(found)


def _memory(table: Table, names: _Names, arch: Arch) -> Mapping[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for key, value in table.items():
        task, dot, symbol = key.partition(".")
        if not dot or not symbol:
            raise table.error(key, "expected TASK.SYMBOL")
        check_known(task, names.tasks, "task", partial(table.error, key))
        found[task, symbol] = table.as_word(key, value, arch)
    return found
