"""Capability tables: mapping, revoking, and when that ends an object (ABI 4.9, 6.1, 13).

Rule 1: a copied capability has no parent.  What ties copies together is the object: it
ends when no counted capability names it, or when somebody deletes it with right D.
Rule 2: an object that ends loses all its capabilities here and now; what else it had
is dealt with at the kernel's exit (`kernel.lifetime`), since it may take part in the
system call that ended it.
"""

from kernel.abi import (
    CAP_SHIFT,
    CAP_SPECIAL,
    ITEM_OBJECT_RIGHTS,
    ITEM_UNCOUNTED,
    Rights,
)
from kernel.flexpage import FULL, MAPPED, NOTHING, Area, Placement
from kernel.objects import PERMANENT, Capability, Object, Task
from kernel.quota import CAP_BYTES
from kernel.state import Kernel

_REVOCABLE = int(Rights.W | Rights.S | Rights.D)
_RIGHTS = int(Rights.R | Rights.W | Rights.S | Rights.D)


def map_caps(
    kernel: Kernel,
    source: Task,
    target: Task,
    where: Placement,
    *,
    rights: int,
    attributes: int,
    grant: bool,
) -> int:
    """Copy or move capabilities, an `Outcome`; what is not there is skipped.

    `rights` are those of the flexpage, `attributes` bits 7..4 of the item.  A slot that is
    taken is unmapped first, with everything that this entails: a capability that is mapped
    onto itself is gone.
    """
    given = rights & _RIGHTS | attributes & ITEM_OBJECT_RIGHTS
    outcome = NOTHING
    for index in _slots_in(kernel, source, where.source):
        cap = source.caps.get(index)
        place = where.target + index - where.source.first
        if place >= kernel.arch.cap_limit:
            break
        # A capability without R cannot be mapped on.
        if cap is None or not cap.rights & given & Rights.R:
            continue
        if place in target.caps:
            unmap_slot(kernel, target, place, delete=True)
        if source.caps.get(index) is not cap:
            continue
        if not target.quota.has(CAP_BYTES):
            return FULL
        counted = cap.counted and not attributes & ITEM_UNCOUNTED
        kernel.insert_cap(target, place, Capability(cap.object, cap.rights & given, counted))
        kernel.cost += kernel.costs.mapping
        outcome = MAPPED
        if grant:
            unmap_slot(kernel, source, index, delete=False)
    return outcome


def unmap_caps(kernel: Kernel, task: Task, area: Area, *, rights: int, delete: bool) -> None:
    """Take capabilities of a task away, or with `rights` that lack R, some of their rights."""
    for index in _slots_in(kernel, task, area):
        cap = task.caps.get(index)
        if cap is None:
            continue
        if rights & Rights.R:
            unmap_slot(kernel, task, index, delete=delete)
        else:
            lost = rights & _REVOCABLE
            task.caps[index] = Capability(cap.object, cap.rights & ~lost, cap.counted)
        kernel.cost += kernel.costs.mapping


def unmap_slot(kernel: Kernel, task: Task, index: int, *, delete: bool) -> None:
    """Take one capability away; its object ends with the last one, or by right D."""
    cap = kernel.remove_cap(task, index)
    number = cap.object.number
    if delete and cap.rights & Rights.D:
        doom(kernel, cap.object)
    elif number in kernel.charges and kernel.references.get(number, 0) <= 0:
        # One that is not counted takes the object along only if it was the very last.
        last = cap.counted or not kernel.holders.get(number)
        if last:
            doom(kernel, cap.object)


def doom(kernel: Kernel, gone: Object) -> None:
    """End an object: nobody can name it from now on, and the kernel's exit deletes it."""
    if isinstance(gone, PERMANENT) or gone is kernel.factory:
        return
    if gone.number in kernel.doomed:
        return
    for number, index in list(kernel.holders.get(gone.number, ())):
        holder = kernel.objects[number]
        assert isinstance(holder, Task), "capabilities are in tables of tasks"
        kernel.remove_cap(holder, index)
    kernel.doomed[gone.number] = gone


def find(task: Task, selector: int) -> Capability | None:
    """Look up what a selector names in a task's table, reply slots and self excluded."""
    if selector & CAP_SPECIAL:
        return None
    return task.caps.get(selector >> CAP_SHIFT)


def _slots_in(kernel: Kernel, task: Task, area: Area) -> list[int]:
    # As a list, and by whichever is shorter: the caller changes the table.
    caps = task.caps
    first, end = area.first, area.first + area.size
    if area.size <= len(caps):
        kernel.cost += area.size
        return [index for index in range(first, end) if index in caps]
    kernel.cost += len(caps)
    return sorted(index for index in caps if first <= index < end)
