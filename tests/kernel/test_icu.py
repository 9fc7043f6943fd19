"""Interrupt pins: the ICU has none, the log and the scheduler one each."""

import pytest

from kernel import abi, irq
from kernel.abi import Errno, Protocol, Rights
from kernel.objects import Irq, Thread
from tests.kernel.desk import ALL_RIGHTS, SELF, Desk, Result, SysCall, object_item, tag

ICU = abi.CAP_ICU
LOG = abi.CAP_LOG
SCHEDULER = abi.CAP_SCHEDULER
IRQ_INDEX = 0x30


def scene(*steps: SysCall) -> tuple[Desk, Thread, Irq]:
    desk = Desk()
    thread = desk.idle_thread()
    desk.cap(thread, ICU, desk.kernel.create_icu())
    made = desk.kernel.create_irq()
    desk.cap(thread, IRQ_INDEX, made)
    desk.program(thread, *steps)
    return desk, thread, made


def call(index: int, *words: int, items: int = 0) -> SysCall:
    sent = tag(Protocol.IRQ, len(words) - 2 * items, items)
    return SysCall(index << abi.CAP_SHIFT | abi.CALL, sent, words=words, timeout=10)


def bind(index: int, pin: int, irq_index: int = IRQ_INDEX) -> SysCall:
    return call(index, abi.ICU_BIND, pin, *object_item(irq_index), items=1)


@pytest.mark.parametrize(("index", "pins"), [(ICU, 0), (LOG, 1), (SCHEDULER, 1)])
def test_info_gives_features_pins_and_msis(index: int, pins: int) -> None:
    """ABI 6.6, 6.8, 6.9: the ICU has 0 pins, scheduler and log one."""
    desk, thread, _ = scene(call(index, abi.ICU_INFO))

    desk.run()

    assert desk.result(thread) == [Result(tag(0, 3), 0)]
    assert thread.utcb.load_words(3) == (0, pins, 0)


@pytest.mark.parametrize(("index", "pin"), [(ICU, 0), (LOG, 1), (SCHEDULER, (1 << 64) - 1)])
def test_a_pin_that_does_not_exist_is_invalid(index: int, pin: int) -> None:
    """ABI 6.6: bind and set_mode of a pin out of range."""
    desk, thread, made = scene(bind(index, pin), call(index, abi.ICU_SET_MODE, pin, 1))

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.EINVAL), 0)] * 2
    assert made.pin_of is None


@pytest.mark.parametrize("index", [LOG, SCHEDULER])
def test_a_pin_is_bound_and_unbound(index: int) -> None:
    """ABI 6.6: bind and unbind."""
    mode = call(index, abi.ICU_SET_MODE, 0, 1)
    unbind = call(index, abi.ICU_UNBIND, 0, *object_item(IRQ_INDEX), items=1)
    desk, thread, made = scene(bind(index, 0), mode, unbind, unbind, bind(index, 0, 0x31))
    other = desk.kernel.create_irq()
    desk.cap(thread, 0x31, other)

    desk.run()

    assert desk.result(thread) == [Result(tag(0), 0)] * 5
    owner = desk.kernel.log if index == LOG else desk.kernel.scheduler_object
    assert (owner.pin, made.pin_of, other.pin_of) == (other, None, owner)


def test_a_pin_that_is_taken_is_invalid() -> None:
    """ABI 6.6: one IRQ per pin."""
    desk, thread, made = scene(bind(LOG, 0), bind(LOG, 0, 0x31), bind(LOG, 0))
    desk.cap(thread, 0x31, desk.kernel.create_irq())

    desk.run()

    assert [r.tag for r in desk.result(thread)] == [tag(0), tag(-Errno.EINVAL), tag(0)]
    assert desk.kernel.log.pin is made


def test_an_irq_has_one_pin() -> None:
    """ABI 6.6: bound to another pin, an IRQ leaves the first."""
    desk, _, made = scene(bind(LOG, 0), bind(SCHEDULER, 0))

    desk.run()

    assert desk.kernel.log.pin is None
    assert desk.kernel.scheduler_object.pin is made


def test_a_deleted_irq_leaves_its_pin() -> None:
    """ABI 6.6: the pin of a deleted IRQ is free."""
    desk, _, made = scene(bind(LOG, 0))
    desk.run()

    irq.delete(desk.kernel, made)

    assert (desk.kernel.log.pin, made.pin_of) == (None, None)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (call(LOG), -Errno.EMSGTOOSHORT),
        (call(LOG, abi.ICU_BIND), -Errno.EMSGTOOSHORT),
        (call(LOG, abi.ICU_BIND, 0), -Errno.EINVAL),
        (call(LOG, abi.ICU_MSI_INFO, 0, 0), -Errno.ENOSYS),
        (call(LOG, abi.ICU_SET_MODE, 0), -Errno.EMSGTOOSHORT),
        (call(ICU, 7), -Errno.ENOSYS),
        (bind(LOG, 0, irq_index=LOG), -Errno.EINVAL),
        (bind(LOG, 0, irq_index=0x99), -Errno.EINVAL),
    ],
)
def test_what_an_icu_does_not_understand_is_an_error(step: SysCall, expected: int) -> None:
    """ABI 6: too few words -1001, a bad item -22, unknown opcode -38."""
    desk, thread, _ = scene(step)

    desk.run()

    assert desk.result(thread) == [Result(tag(expected), 0)]


def test_binding_needs_the_write_right_on_the_irq() -> None:
    """ABI 6.6: the IRQ of a bind needs W."""
    desk, thread, made = scene(bind(LOG, 0))
    desk.cap(thread, IRQ_INDEX, made, ALL_RIGHTS & ~int(Rights.W))

    desk.run()

    assert desk.result(thread) == [Result(tag(-Errno.EPERM), 0)]


@pytest.mark.parametrize("operation", [abi.ICU_MASK, abi.ICU_UNMASK])
def test_masking_does_not_reply(operation: int) -> None:
    """ABI 6: mask and unmask do not reply; a call waits for its timeout."""
    desk, thread, _ = scene(call(ICU, operation, 0))

    desk.run()

    assert desk.result(thread) == [Result(tag(Protocol.IRQ, 2, flags=abi.TAG_ERROR), 0)]


def test_input_that_is_there_triggers_the_logs_pin_when_it_is_bound() -> None:
    """ABI 6.9: the log is an ICU whose pin 0 says that there is input."""
    desk, thread, made = scene(bind(LOG, 0), SysCall(SELF | abi.WAIT, timeout=10))
    irq.bind(desk.kernel, made, thread, 0x77)
    desk.kernel.input = "hello"

    desk.run()

    assert desk.result(thread)[1] == Result(0, 0x77)
