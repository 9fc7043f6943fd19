"""Writing a kernel's state down as bytes, and making a kernel of them again.

A frozen kernel is JSON: every object's slots, with references to objects as their
numbers.  Contexts, UTCBs and spaces are the machine's: they are found again by number and
physical address, and pages are mapped anew, so that a kernel thaws against any machine
whose memory and contexts are those of the same moment.  The tree of mappings is written
as a flat list of pages with their parents, since it can be as deep as guests like.
"""

import json
from typing import Any, NamedTuple

from kernel import kip
from kernel.abi import ARCHES, Page
from kernel.cost import Costs
from kernel.errors import UsageError
from kernel.mapping import link
from kernel.message import Utcb
from kernel.objects import (
    UNBOUND,
    Capability,
    Debugger,
    Factory,
    Gate,
    Icu,
    Irq,
    Log,
    Mapping,
    Object,
    SchedulerObject,
    Semaphore,
    Task,
    Thread,
)
from kernel.port import Machine, Probe
from kernel.quota import Quota
from kernel.recorder import Recorder
from kernel.scheduler import Scheduler
from kernel.state import Kernel
from kernel.utcb import WORDS

FREEZE_VERSION = 3

_KINDS: tuple[type[Object], ...] = (
    Task,
    Thread,
    Gate,
    Irq,
    Semaphore,
    Icu,
    Debugger,
    Log,
    Factory,
    SchedulerObject,
)
# Slots that the machine gives back, or that are written in another form.
_MACHINES = ("context", "pages", "registers", "utcb")
_GIVEN = ("machine", "recorder", "probe", "arch", "costs")
_DERIVED = ("holders", "threads")


def freeze(kernel: Kernel) -> bytes:
    """Write down everything that `kernel` knows, but not what its machine knows.

    To be called between two kernel entries, which is whenever `run` has returned.
    """
    assert kernel.cost == 0, "work is charged before the kernel is left"
    state = {
        "version": FREEZE_VERSION,
        "arch": kernel.arch.name,
        "costs": _slots(kernel.costs, ()),
        "kinds": {str(n): type(o).__name__ for n, o in kernel.objects.items()},
        "objects": {str(n): _slots(o, _MACHINES) for n, o in kernel.objects.items()},
        "quotas": {str(n): _slots(q, ()) for n, q in _quotas(kernel).items()},
        "pages": _pages(kernel),
        "scheduler": _slots(kernel.scheduler, ()),
        "kernel": _slots(kernel, (*_GIVEN, *_DERIVED, "objects", "scheduler")),
    }
    return json.dumps(state, separators=(",", ":")).encode()


def thaw(
    data: bytes,
    machine: Machine,
    *,
    recorder: Recorder | None = None,
    probe: Probe | None = None,
) -> Kernel:
    """Make the kernel that was frozen as `data`, on a machine of the same moment.

    The machine must have the contexts and, empty, the spaces; pages are mapped here.  Raises
    UsageError for anything that `freeze` cannot have written.
    """
    try:
        return _thaw(json.loads(data), machine, recorder, probe)
    except (ValueError, KeyError, TypeError, AttributeError, LookupError) as error:
        raise UsageError(f"not a frozen kernel: {error}") from error


def _thaw(
    state: Any, machine: Machine, recorder: Recorder | None, probe: Probe | None
) -> Kernel:
    if state["version"] != FREEZE_VERSION:
        raise ValueError(f"version {state['version']} of {FREEZE_VERSION}")
    arch = ARCHES[state["arch"]]
    kernel = Kernel(
        machine, arch, recorder=recorder, probe=probe, costs=Costs(**state["costs"])
    )
    kinds = {kind.__name__: kind for kind in _KINDS}
    objects: dict[int, Object] = {}
    for number, name in state["kinds"].items():
        kind = kinds[name]
        objects[int(number)] = kind.__new__(kind)
    quotas = {int(n): Quota.__new__(Quota) for n in state["quotas"]}
    known = _Known(objects, quotas)
    for number, slots in state["quotas"].items():
        _fill(quotas[int(number)], slots, known)
    for number, slots in state["objects"].items():
        _fill(objects[int(number)], slots, known)
    kernel.objects = objects
    kernel.scheduler = Scheduler.__new__(Scheduler)
    _fill(kernel.scheduler, state["scheduler"], known)
    _fill(kernel, state["kernel"], known)
    _derive(kernel)
    if kernel.kip_frame >= 0:
        machine.place_clock(kernel.kip_frame + kip.CLOCK)
    for thing in objects.values():
        if isinstance(thing, Task):
            thing.pages = {}
            for address, (frame, _) in thing.ku_pages.items():
                machine.map(thing.number, address, frame, Page.R | Page.W)
        elif isinstance(thing, Thread):
            _bind(thing, machine)
    _map(kernel, state["pages"])
    return kernel


def _derive(kernel: Kernel) -> None:
    kernel.holders = {}
    kernel.threads = {}
    for thing in kernel.objects.values():
        if isinstance(thing, Thread):
            kernel.threads[thing.number] = thing
        elif isinstance(thing, Task):
            for index, cap in thing.caps.items():
                holders = kernel.holders.setdefault(cap.object.number, {})
                holders[thing.number, index] = None


def _bind(thread: Thread, machine: Machine) -> None:
    if not thread.is_bound():
        thread.context = thread.registers = thread.utcb = UNBOUND
        return
    thread.context = machine.context(thread.number)
    thread.registers = thread.context.registers
    thread.utcb = Utcb(machine.words(thread.utcb_frame, WORDS))


def _quotas(kernel: Kernel) -> dict[int, Quota]:
    found: list[Quota] = [quota for quota, _ in kernel.charges.values()]
    for thing in kernel.objects.values():
        if isinstance(thing, (Task, Factory)):
            found.append(thing.quota)
    for quota in found:
        if quota.parent is not None:
            found.append(quota.parent)
    numbered = {quota.number: quota for quota in found}
    return dict(sorted(numbered.items()))


def _pages(kernel: Kernel) -> list[list[int]]:
    # Task, address, frame, rights, accessed flags; then the parent's task and address.
    pages: list[list[int]] = []
    for task in kernel.objects.values():
        if not isinstance(task, Task):
            continue
        for address, page in task.pages.items():
            flags = kernel.machine.accessed(task.number, address)
            entry = [task.number, address, page.frame, page.rights, flags]
            if page.parent is not None:
                entry += [page.parent.task.number, page.parent.address]
            pages.append(entry)
    return pages


def _map(kernel: Kernel, pages: list[list[int]]) -> None:
    machine = kernel.machine
    tasks: dict[int, Task] = {}
    for number, address, frame, rights, flags, *_ in pages:
        task = kernel.objects[number]
        if not isinstance(task, Task):
            raise ValueError(f"object {number} is no task")
        tasks[number] = task
        task.pages[address] = Mapping(task, address, frame, rights)
        machine.map(number, address, frame, rights)
        if flags:
            machine.set_accessed(number, address, flags)
    for number, address, _, _, _, *parent in pages:
        if parent:
            page = tasks[number].pages[address]
            link(page, tasks[parent[0]].pages[parent[1]])


def _slots(thing: Any, without: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: _encode(getattr(thing, name))
        for name in type(thing).__slots__
        if name not in without
    }


class _Known(NamedTuple):
    objects: dict[int, Object]
    quotas: dict[int, Quota]


def _fill(thing: Any, slots: dict[str, Any], known: _Known) -> None:
    for name, value in slots.items():
        if name not in type(thing).__slots__:
            raise ValueError(f"{type(thing).__name__} has no {name!r}")
        setattr(thing, name, _decode(value, known))


def _encode(value: Any) -> Any:
    # Lists say what they are in their first element; everything else is itself.
    if value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, _KINDS):
        return ["object", value.number]
    if isinstance(value, Quota):
        return ["quota", value.number]
    if isinstance(value, Capability):
        return ["cap", value.object.number, value.rights, value.counted]
    if isinstance(value, dict):
        return ["dict", *([_encode(k), _encode(v)] for k, v in value.items())]
    if isinstance(value, list):
        return ["list", *map(_encode, value)]
    assert isinstance(value, tuple), f"{value!r} is no plain data"
    return ["tuple", *map(_encode, value)]


def _decode(value: Any, known: _Known) -> Any:
    if not isinstance(value, list):
        return value
    kind, *rest = value
    if kind == "object":
        return known.objects[rest[0]]
    if kind == "quota":
        return known.quotas[rest[0]]
    if kind == "cap":
        return Capability(known.objects[rest[0]], rest[1], rest[2])
    if kind == "dict":
        return {_decode(k, known): _decode(v, known) for k, v in rest}
    items = [_decode(item, known) for item in rest]
    if kind == "list":
        return items
    if kind == "tuple":
        return tuple(items)
    raise ValueError(f"no value is a {kind!r}")
