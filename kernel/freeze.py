"""Writing a kernel's state down as bytes, and making a kernel of them again.

A frozen kernel is JSON: every object's slots, with references to objects as their
numbers.  Contexts, UTCBs and spaces are the machine's: they are found again by number and
physical address, and pages are mapped anew, so that a kernel thaws against any machine
whose memory and contexts are those of the same moment.
"""

import json
from typing import Any

from kernel import kip
from kernel.abi import ARCHES
from kernel.cost import Costs
from kernel.errors import UsageError
from kernel.message import Utcb
from kernel.objects import (
    Capability,
    Debugger,
    Factory,
    Gate,
    Icu,
    Irq,
    Log,
    Object,
    SchedulerObject,
    Semaphore,
    Task,
    Thread,
)
from kernel.port import Machine, Probe
from kernel.recorder import Recorder
from kernel.scheduler import Scheduler
from kernel.state import Kernel
from kernel.utcb import WORDS

FREEZE_VERSION = 2

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
_MACHINES = ("context", "registers", "utcb")  # slots that the machine gives back
_GIVEN = ("machine", "recorder", "probe", "arch", "costs")


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
        "scheduler": _slots(kernel.scheduler, ()),
        "kernel": _slots(kernel, (*_GIVEN, "objects", "scheduler")),
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
    for number, slots in state["objects"].items():
        _fill(objects[int(number)], slots, objects)
    kernel.objects = objects
    kernel.scheduler = Scheduler.__new__(Scheduler)
    _fill(kernel.scheduler, state["scheduler"], objects)
    _fill(kernel, state["kernel"], objects)
    if kernel.kip_frame:
        machine.place_clock(kernel.kip_frame + kip.CLOCK)
    for thing in objects.values():
        if isinstance(thing, Task):
            for address, (frame, rights) in thing.pages.items():
                machine.map(thing.number, address, frame, rights)
        elif isinstance(thing, Thread):
            thing.context = machine.context(thing.number)
            thing.registers = thing.context.registers
            thing.utcb = Utcb(machine.words(thing.utcb_frame, WORDS))
    return kernel


def _slots(thing: Any, without: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: _encode(getattr(thing, name))
        for name in type(thing).__slots__
        if name not in without
    }


def _fill(thing: Any, slots: dict[str, Any], objects: dict[int, Object]) -> None:
    for name, value in slots.items():
        if name not in type(thing).__slots__:
            raise ValueError(f"{type(thing).__name__} has no {name!r}")
        setattr(thing, name, _decode(value, objects))


def _encode(value: Any) -> Any:
    # Lists say what they are in their first element; everything else is itself.
    if value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, _KINDS):
        return ["object", value.number]
    if isinstance(value, Capability):
        return ["cap", value.object.number, value.rights]
    if isinstance(value, dict):
        return ["dict", *([_encode(k), _encode(v)] for k, v in value.items())]
    if isinstance(value, list):
        return ["list", *map(_encode, value)]
    assert isinstance(value, tuple), f"{value!r} is no plain data"
    return ["tuple", *map(_encode, value)]


def _decode(value: Any, objects: dict[int, Object]) -> Any:
    if not isinstance(value, list):
        return value
    kind, *rest = value
    if kind == "object":
        return objects[rest[0]]
    if kind == "cap":
        return Capability(objects[rest[0]], rest[1])
    if kind == "dict":
        return {_decode(k, objects): _decode(v, objects) for k, v in rest}
    items = [_decode(item, objects) for item in rest]
    if kind == "list":
        return items
    if kind == "tuple":
        return tuple(items)
    raise ValueError(f"no value is a {kind!r}")
