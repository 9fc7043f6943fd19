"""The mapping tree: who gave which page of memory to whom, and with what rights (ABI 4.9, 6.1).

Rule 1: a node is one page of 4 KiB of one task.  A superpage is nothing but its pages, so
that splitting one needs no code: a part that is unmapped or mapped on is just some nodes.
Rule 2: no page has more rights than the one it was mapped from, at any time.
Rule 3: the machine's page tables show what the tree says; both change here, except for
roots, which boot makes.
Rule 4: no walk recurses, for guests choose how deep a tree is, and every step is charged.

Kernel-user memory is in no tree: it is neither mapped on nor replaced nor unmapped.
"""

from collections.abc import Container

from kernel.abi import PAGE_SHIFT, PAGE_SIZE, Page
from kernel.flexpage import FULL, MAPPED, NOTHING, Area, Placement
from kernel.objects import Mapping, Task
from kernel.quota import MAPPING_BYTES
from kernel.state import Kernel

_READ = int(Page.R)
_RIGHTS = int(Page.R | Page.W | Page.X)


def map_pages(
    kernel: Kernel, source: Task, target: Task, where: Placement, *, rights: int, grant: bool
) -> int:
    """Map or grant pages; an `Outcome`.

    What is not mapped at the source is skipped.  When the target's quota or the room for
    page tables is used up, the pages before that stay mapped.
    """
    outcome = NOTHING
    area = where.source
    if source.sigma0:
        _fabricate_all(kernel, source, area)
    end = kernel.machine.user_end
    for page in _pages_in(kernel, source, area):
        to = (where.target - area.first << PAGE_SHIFT) + page
        if to >= end:
            break
        node = source.pages.get(page)
        # A page that cannot be read cannot be mapped: x86 has no such pages.
        if node is None or not node.rights & rights & _READ or to in target.ku_pages:
            continue
        kernel.cost += kernel.costs.mapping
        each = _map_page(kernel, node, target, to, rights=rights, grant=grant)
        if each == FULL:
            return FULL
        outcome = max(outcome, each)
    return outcome


def fabricate(kernel: Kernel, sigma0: Task, address: int) -> bool:
    """Show sigma0 the page of RAM at its own address, with all rights (ABI 8.1).

    False if there is none, or it has the page already.  The pages of programs that were
    loaded at their own addresses are theirs to fault in, like any other.
    """
    page = address & -PAGE_SIZE
    if page in sigma0.pages or page in sigma0.ku_pages or page not in kernel.machine.frames:
        return False
    kernel.cost += kernel.costs.mapping
    kernel.map(sigma0, page, page, _RIGHTS)
    return True


def unmap_pages(kernel: Kernel, task: Task, area: Area, *, rights: int, own: bool) -> int:
    """Revoke `rights` from what was mapped from a task's pages, and from themselves if `own`.

    Without R among them the pages stay, with the other rights less.  The accessed flags of
    all pages touched come back (R: read, W: written) and are forgotten, but a page keeps
    those of its descendants if it was itself spared.
    """
    flags = 0
    machine = kernel.machine
    done: set[Mapping] = set()  # one page may have been mapped from another, in one task
    for page in _pages_in(kernel, task, area):
        node = task.pages.get(page)
        if node is None:
            continue  # it went with one of its ancestors
        seen = 0
        for each in _subtree(node, done):
            if own or each is not node:
                seen |= _revoke(kernel, each, rights)
                done.add(each)
        if seen and not own:
            seen |= machine.accessed(task.number, page)
            machine.set_accessed(task.number, page, seen)
        flags |= seen
    return flags


def drop_pages(kernel: Kernel, task: Task) -> None:
    """Unmap all memory of a task and all that was mapped from it."""
    for page in list(task.pages):
        node = task.pages.get(page)
        if node is not None:
            _remove(kernel, node)


def link(node: Mapping, parent: Mapping) -> None:
    """Make a page the first child of the one that it was mapped from."""
    node.parent = parent
    first = parent.child
    node.next = first
    if first is not None:
        first.previous = node
    parent.child = node


def _map_page(
    kernel: Kernel, node: Mapping, target: Task, to: int, *, rights: int, grant: bool
) -> int:
    given = node.rights & rights
    old = target.pages.get(to)
    if old is not None:
        if old.parent is node and not grant:
            _set_rights(kernel, old, old.rights | given)
            return MAPPED
        _remove(kernel, old)
        if node.task.pages.get(node.address) is not node:
            # Mapped onto its own origin, it went with it (as in Fiasco, `map_util.cpp`).
            return NOTHING
    quota = target.quota
    if not quota.has(MAPPING_BYTES) or not kernel.machine.map(
        target.number, to, node.frame, given
    ):
        return FULL
    quota.take(MAPPING_BYTES)
    if grant:
        _move(kernel, node, target, to)
        _lower(kernel, node, given)
        return MAPPED
    made = Mapping(target, to, node.frame, given)
    target.pages[to] = made
    link(made, node)
    return MAPPED


def _move(kernel: Kernel, node: Mapping, target: Task, to: int) -> None:
    # The page tables of the target show it already; its children stay with it.
    task = node.task
    machine = kernel.machine
    flags = machine.accessed(task.number, node.address)
    if flags:
        machine.set_accessed(target.number, to, flags)
    machine.unmap(task.number, node.address)
    del task.pages[node.address]
    task.quota.give_back(MAPPING_BYTES)
    node.task = target
    node.address = to
    target.pages[to] = node


def _lower(kernel: Kernel, node: Mapping, rights: int) -> None:
    # Whatever has no more than `rights` has no descendant that does.
    excessive = [node]
    for each in excessive:
        _set_rights(kernel, each, each.rights & rights)
        kernel.cost += kernel.costs.mapping
        child = each.child
        while child is not None:
            if child.rights & ~rights:
                excessive.append(child)
            child = child.next


def _subtree(node: Mapping, without: Container[Mapping] = ()) -> list[Mapping]:
    # Parents before children; what is left out is left out with its descendants.
    found: list[Mapping] = [node] if node not in without else []
    for each in found:
        child = each.child
        while child is not None:
            if child not in without:
                found.append(child)
            child = child.next
    return found


def _remove(kernel: Kernel, node: Mapping) -> None:
    for each in _subtree(node):
        _revoke(kernel, each, _RIGHTS)


def _revoke(kernel: Kernel, node: Mapping, rights: int) -> int:
    """Take rights away, and without R the page itself; give its accessed flags."""
    task = node.task
    address = node.address
    machine = kernel.machine
    flags: int = machine.accessed(task.number, address)
    kernel.cost += kernel.costs.mapping
    if not rights & _READ:
        if flags:
            machine.set_accessed(task.number, address, 0)
        if node.rights & rights:
            _set_rights(kernel, node, node.rights & ~rights)
        return flags
    machine.unmap(task.number, address)
    del task.pages[address]
    task.quota.give_back(MAPPING_BYTES)
    _unlink(node)
    return flags


def _set_rights(kernel: Kernel, node: Mapping, rights: int) -> None:
    if rights != node.rights:
        node.rights = rights
        shown = kernel.machine.map(node.task.number, node.address, node.frame, rights)
        assert shown, "a page that is mapped has its tables"


def _unlink(node: Mapping) -> None:
    # Its children, if any, are removed next by whoever walks the subtree.
    if node.previous is not None:
        node.previous.next = node.next
    elif node.parent is not None:
        node.parent.child = node.next
    if node.next is not None:
        node.next.previous = node.previous
    node.parent = node.previous = node.next = None


def _fabricate_all(kernel: Kernel, sigma0: Task, area: Area) -> None:
    # Whatever sigma0 sends it has; no more than there is of RAM.
    frames = kernel.machine.frames
    first = max(area.first << PAGE_SHIFT, frames.start)
    stop = min(area.first + area.size, frames.stop >> PAGE_SHIFT)
    for page in range(first, stop << PAGE_SHIFT, PAGE_SIZE):
        fabricate(kernel, sigma0, page)


def _pages_in(kernel: Kernel, task: Task, area: Area) -> list[int]:
    # As a list, and by whichever is shorter: the caller changes the pages.
    pages = task.pages
    first, size = area.first, area.size
    kernel.cost += min(size, len(pages))
    if size <= len(pages):
        return [
            page << PAGE_SHIFT
            for page in range(first, first + size)
            if page << PAGE_SHIFT in pages
        ]
    end = first + size
    return sorted([page for page in pages if first <= page >> PAGE_SHIFT < end])
