"""Interrupt pins: the protocol of an ICU, which the log and the scheduler speak as well.

The ICU proper has no pins (ABI 6.6).  The log's pin 0 says that there is input (6.9), the
scheduler's would tell of CPUs that come and go (6.8), of which there is one that stays.
"""

from kernel import abi
from kernel.abi import Errno, Rights
from kernel.errors import GuestFault
from kernel.irq import detach_pin, fire
from kernel.objects import Icu, Irq, Log, SchedulerObject
from kernel.request import Answer, NoReply, Request
from kernel.state import Kernel


def invoke(
    kernel: Kernel, owner: Icu | Log | SchedulerObject, request: Request
) -> Answer | NoReply:
    """Serve a message of the IRQ protocol to an object with interrupt pins, or with none."""
    match request.opcode():
        case abi.ICU_BIND:
            _bind(kernel, owner, request)
            return Answer()
        case abi.ICU_UNBIND:
            request.require_words(2, Errno.EMSGTOOSHORT)
            request.item()
            if not isinstance(owner, Icu) and owner.pin is not None and not request.word(1):
                detach_pin(owner.pin)
            return Answer()
        case abi.ICU_INFO:
            return Answer(0, (0, _pins(owner), 0))  # no feature, no MSIs
        case abi.ICU_UNMASK | abi.ICU_MASK:
            return NoReply()
        case abi.ICU_SET_MODE:
            request.require_words(3, Errno.EMSGTOOSHORT)
            _check_pin(owner, request.word(1))
            return Answer()
        case opcode:
            raise GuestFault(Errno.ENOSYS, refused=f"icu operation {opcode}")


def _bind(kernel: Kernel, owner: Icu | Log | SchedulerObject, request: Request) -> None:
    request.require_words(2, Errno.EMSGTOOSHORT)
    cap = request.item()
    if not isinstance(cap.object, Irq):
        raise GuestFault(Errno.EINVAL)
    if not cap.rights & Rights.W:
        raise GuestFault(Errno.EPERM)
    _check_pin(owner, request.word(1))
    irq = cap.object
    if isinstance(owner, Icu) or (owner.pin is not None and owner.pin is not irq):
        raise GuestFault(Errno.EINVAL)
    detach_pin(irq)
    owner.pin = irq
    irq.pin_of = owner
    # All input of a run is there from its start: it is announced when somebody listens.
    if isinstance(owner, Log) and kernel.input:
        fire(kernel, irq)


def _pins(owner: Icu | Log | SchedulerObject) -> int:
    return 0 if isinstance(owner, Icu) else 1


def _check_pin(owner: Icu | Log | SchedulerObject, pin: int) -> None:
    if pin >= _pins(owner):
        raise GuestFault(Errno.EINVAL)
