"""Operations on tasks: the task protocol (ABI 6.1)."""

from kernel import abi, capability, items, mapping, segments
from kernel.abi import Errno, IpcError, Rights
from kernel.errors import GuestFault
from kernel.flexpage import ALL_SPACES, Flexpage, Kind, Outcome, decode, encode
from kernel.objects import Object, Task
from kernel.request import Answer, Request
from kernel.state import Kernel

_FULL = abi.FPAGE_RIGHTS


def invoke(kernel: Kernel, task: Task, request: Request) -> Answer:
    """Serve a message of the task protocol to `task`."""
    match request.opcode():
        case abi.TASK_MAP:
            return _map(kernel, task, request)
        case abi.TASK_UNMAP:
            return _unmap(kernel, task, request)
        case abi.TASK_CAP_INFO:
            return _cap_info(task, request)
        case abi.TASK_ADD_KU_MEM:
            return _add_ku_mem(kernel, task, request)
        case abi.TASK_LDT_SET:
            return segments.set_local(kernel, task, request)
        case opcode:
            raise GuestFault(Errno.ENOSYS, refused=f"task operation {opcode}")


def add_ku_mem(kernel: Kernel, task: Task, fpage: Flexpage) -> Errno:
    """Give a task kernel-user memory where a flexpage says; OK, or why not."""
    orders = range(abi.KU_MEM_MIN_ORDER, abi.KU_MEM_MAX_ORDER + 1)
    if fpage.kind != Kind.MEMORY or fpage.order not in orders:
        return Errno.EINVAL
    address, size = fpage.base << abi.PAGE_SHIFT, 1 << fpage.order
    if address + size > kernel.machine.user_end:
        return Errno.EINVAL
    kernel.cost += kernel.costs.mapping * (size >> abi.PAGE_SHIFT)
    return kernel.add_ku_mem(task, address, size)


def ku_mem_word(fpage: Flexpage) -> int:
    """Give the flexpage of kernel-user memory that came of asking for `fpage`."""
    return encode(fpage.with_rights(int(abi.Page.R | abi.Page.W)))


def _map(kernel: Kernel, task: Task, request: Request) -> Answer:
    # What may be sent is what both capabilities let through.
    request.require_rights(Rights.W)
    request.require_words(3)
    source = request.item()
    if not isinstance(source.object, Task):
        raise GuestFault(Errno.EINVAL)
    sent = items.mask_rights(decode(request.word(2)), request.rights & source.rights)
    window = decode(ALL_SPACES)
    head = request.word(1)
    outcome = items.map_flexpage(kernel, source.object, sent, task, window, head)
    if outcome == Outcome.FULL:
        raise GuestFault(IpcError.SEND_MAP_FAILED)
    return Answer()


def _unmap(kernel: Kernel, task: Task, request: Request) -> Answer:
    request.require_words(2)
    mask = request.word(1)
    words = list(request.caller.utcb.load_words(request.tag.words))
    for k in range(2, len(words)):
        flags = _unmap_flexpage(kernel, task, decode(words[k]), mask)
        words[k] = words[k] & ~abi.FPAGE_RIGHTS | flags
    return Answer(0, tuple(words))


def _unmap_flexpage(kernel: Kernel, task: Task, fpage: Flexpage, mask: int) -> int:
    area = fpage.area()
    if area is None:
        return 0
    own = bool(mask & abi.UNMAP_SELF)
    rights = fpage.rights
    if fpage.is_all_spaces():
        rights = rights or _FULL  # l4_fpage_all() has no rights in it
    if own and fpage.kind in (Kind.OBJECT, Kind.SPECIAL):
        # Copies of a capability are nobody's children: without `own` there is nothing to do.
        delete = bool(mask & abi.UNMAP_DELETE)
        capability.unmap_caps(kernel, task, area, rights=rights, delete=delete)
    if fpage.kind in (Kind.MEMORY, Kind.SPECIAL):
        return mapping.unmap_pages(kernel, task, area, rights=rights, own=own)
    return 0


def _cap_info(task: Task, request: Request) -> Answer:
    if request.tag.words == 2:
        return Answer(int(_object_at(task, request.word(1)) is not None))
    if request.tag.words != 3:
        raise GuestFault(Errno.EINVAL)
    first, second = request.word(1), request.word(2)
    if first == second:
        return Answer(1)
    if (first | second) & abi.CAP_SPECIAL:
        return Answer(
            int(
                first & second & abi.CAP_SPECIAL != 0 and not (first ^ second) & abi.CAP_SPECIAL
            )
        )
    return Answer(int(_object_at(task, first) is _object_at(task, second)))


def _object_at(task: Task, selector: int) -> Object | None:
    cap = capability.find(task, selector)
    return cap.object if cap is not None else None


def _add_ku_mem(kernel: Kernel, task: Task, request: Request) -> Answer:
    # Those before one that fails stay.
    fpages = [decode(request.word(k)) for k in range(1, request.tag.words)]
    for fpage in fpages:
        error = add_ku_mem(kernel, task, fpage)
        if error:
            raise GuestFault(error)
    return Answer(0, tuple(ku_mem_word(fpage) for fpage in fpages))
