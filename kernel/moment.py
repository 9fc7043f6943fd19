"""A moment: what it takes to bring the same kernel back to where it once was.

Unlike a frozen kernel it is good for one kernel on one machine, whose contexts must be
brought back, too; the objects stay the same, and only what they hold is put back.
"""

from typing import Any, TypeAlias

from kernel.objects import Factory, Task
from kernel.quota import Quota
from kernel.state import Kernel

# Who gives them decides what they are for the next run.
_GIVEN = ("machine", "recorder", "probe", "arch", "costs")

Moment: TypeAlias = list[tuple[Any, tuple[tuple[str, Any], ...]]]  # objects and their slots


def save(kernel: Kernel) -> Moment:
    """Take down what every object of a kernel holds; between two kernel entries."""
    things: list[Any] = [kernel, kernel.scheduler, *kernel.objects.values()]
    quotas: dict[int, Quota] = {}
    for thing in kernel.objects.values():
        if isinstance(thing, Task):
            things += thing.pages.values()
        if isinstance(thing, Task | Factory):
            quota: Quota | None = thing.quota
            while quota is not None:
                quotas[id(quota)] = quota
                quota = quota.parent
    for quota, _ in kernel.charges.values():
        quotas[id(quota)] = quota
    things += quotas.values()
    return [(thing, _slots(thing)) for thing in things]


def rewind(moment: Moment) -> None:
    """Put back what `save` took down; it can be used again."""
    for thing, slots in moment:
        for name, value in slots:
            if type(value) is list or type(value) is dict:
                value = _copy(value)
            setattr(thing, name, value)


def _slots(thing: Any) -> tuple[tuple[str, Any], ...]:
    without = _GIVEN if isinstance(thing, Kernel) else ()
    names = [name for name in type(thing).__slots__ if name not in without]
    return tuple((name, _copy(getattr(thing, name))) for name in names)


def _copy(value: Any) -> Any:
    # Containers hold objects, numbers, and at most containers of these.
    if type(value) is list:
        return [each[:] if type(each) is list else each for each in value]
    if type(value) is dict:
        return {k: dict(v) if type(v) is dict else v for k, v in value.items()}
    return value
