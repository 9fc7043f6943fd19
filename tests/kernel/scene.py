"""Scenes for tests of mapping: memory, receive buffers, and the messages of kernel objects."""

from kernel import abi, utcb
from kernel.abi import Protocol
from kernel.flexpage import ALL_SPACES, Flexpage, Kind, encode
from kernel.ipc import cancel
from kernel.objects import Capability, Object, Task, Thread
from tests.kernel.desk import Desk, Guest, Step, SysCall, tag

R, W, X = int(abi.Page.R), int(abi.Page.W), int(abi.Page.X)
RWX = R | W | X
PAGE = abi.PAGE_SIZE
ALL = abi.ALL_OBJECT_RIGHTS
CAP_RIGHTS = int(abi.Rights.R | abi.Rights.W | abi.Rights.S | abi.Rights.D)
SELF_TOO = abi.UNMAP_SELF
DELETE = abi.UNMAP_SELF | abi.UNMAP_DELETE
ITEM = abi.ITEM_MAP
GATE, IRQ, SEMAPHORE = Protocol.KOBJECT, Protocol.IRQ_SENDER, Protocol.SEMAPHORE


def memory(address: int, order: int = 12, rights: int = RWX) -> int:
    """Give the word of a memory flexpage."""
    return encode(Flexpage(Kind.MEMORY, address >> 12, order, rights))


def caps(index: int, order: int = 0, rights: int = CAP_RIGHTS) -> int:
    """Give the word of an object flexpage."""
    return encode(Flexpage(Kind.OBJECT, index, order, rights))


def put_page(desk: Desk, task: Task, address: int, rights: int = RWX) -> int:
    """Map a fresh frame, as boot does; the frame comes back."""
    frame = desk.kernel.allocate_frame()
    desk.kernel.map(task, address, frame, rights)
    return frame


def shown(desk: Desk, task: Task) -> dict[int, int]:
    """Give the rights of each page of a task below the UTCB area, as page tables say."""
    pages = desk.machine.spaces[task.number]
    return {at: rights for at, (_, rights) in sorted(pages.items()) if at < 0xB000_0000}


def held(task: Task, index: int) -> tuple[Object, int, bool] | None:
    """Give what a capability slot holds: object, rights, whether it is counted."""
    cap = task.caps.get(index)
    return None if cap is None else (cap.object, cap.rights, cap.counted)


def accept(thread: Thread, *words: int, cursors: int = 0) -> None:
    """Set up receive buffers; the three lists all begin at the first one unless told."""
    thread.utcb.store(utcb.BDR, cursors)
    for k, word in enumerate((*words, 0)):
        if k < utcb.BR_COUNT:
            thread.utcb.store(utcb.BR + k, word)


def small(index: int, extra: int = 0) -> int:
    """Give the word of a receive buffer for one capability."""
    return index << 12 | abi.ITEM_MAP | abi.ITEM_SMALL | extra


EVERYWHERE = (abi.ITEM_MAP, ALL_SPACES)


def map_call(
    desk: Desk, thread: Thread, target: int, source: int, fpage: int, spot: int = 0
) -> SysCall:
    """Give the call that maps a flexpage of task `source` to task `target`, by cap indices."""
    words = (abi.TASK_MAP, spot, fpage, ITEM, caps(source))
    return SysCall(target << 12 | abi.CALL, tag(Protocol.TASK, 3, items=1), words=words)


def unmap_call(mask: int, *fpages: int, task: int = abi.CAP_TASK) -> SysCall:
    """Give the call that unmaps flexpages of a task."""
    words = (abi.TASK_UNMAP, mask, *fpages)
    return SysCall(task << 12 | abi.CALL, tag(Protocol.TASK, len(words)), words=words)


def make_call(
    kind: int, *arguments: int, items: tuple[int, ...] = (), factory: int = abi.CAP_FACTORY
) -> SysCall:
    """Give the call that makes an object; its capability goes where the buffers say."""
    words = (kind & (1 << 64) - 1, *arguments, *items)
    count = 1 + len(arguments)
    sent = tag(Protocol.FACTORY, count, items=len(items) // 2)
    return SysCall(factory << 12 | abi.CALL, sent, words=words)


def labels(desk: Desk, thread: Thread) -> list[int]:
    """Give the result labels of a thread's calls; -2000 - n is IPC error n of the last one."""
    found: list[int] = []
    for result in desk.result(thread):
        if result.tag & abi.TAG_ERROR:
            found.append(-2000 - desk.error(thread))
        else:
            found.append(abi.decode_tag(result.tag, bits=64).label)
    return found


def make(desk: Desk, thread: Thread, index: int, *calls: SysCall) -> list[int]:
    """Let a thread make objects, each into the next slot from `index` on; give the labels."""

    def guest() -> Guest:
        for k, call in enumerate(calls):
            accept(thread, small(index + k))
            result = yield call
            desk.results[thread.number].append(result)

    return _run(desk, thread, guest())


def do(desk: Desk, thread: Thread, *calls: Step) -> list[int]:
    """Let a thread that sleeps, or never ran, do these calls; their labels come back."""

    def guest() -> Guest:
        for call in calls:
            result = yield call
            if isinstance(call, SysCall):
                desk.results[thread.number].append(result)

    return _run(desk, thread, guest())


def _run(desk: Desk, thread: Thread, guest: Guest) -> list[int]:
    desk.results[thread.number] = []
    desk.guest(thread, guest)
    cancel(desk.kernel, thread)  # it sleeps at the end of its last program
    desk.run(desk.machine.now + 10_000_000)
    return labels(desk, thread)


def give(desk: Desk, task: Task, index: int, target: Object, rights: int = ALL) -> None:
    """Put a capability into a table."""
    desk.kernel.insert_cap(task, index, Capability(target, rights))
