"""A leftover is what the stack grew over and nobody stored since."""

from lab.replay.leftovers import LeftoverTracker
from lab.replay.operation import Memory, Operation, Place

UTCB = 0x9000
RSP, RBX, TOP = "rsp", "rbx", 0x8000


def operation(flow: tuple[Place, Place] | None, *, pushes: bool = False) -> Operation:
    memory = tuple(each for each in flow or () if isinstance(each, Memory))
    return Operation((), (), memory, None, flow, False, pushes, False, False, False, False)


CALL = operation(None, pushes=True)
OTHER = operation(None)
PUSH_RAX = operation(("rax", Memory(RSP, "", 1, -8, 8)), pushes=True)
POP_RAX = operation((Memory(RSP, "", 1, 0, 8), "rax"))
PUT_BACK = operation((Memory(RSP, "", 1, 0, 8), Memory(RBX, "", 1, 8, 8)))
STORE_RAX = operation(("rax", Memory(RBX, "", 1, 8, 8)))


def is_leftover(*steps: tuple[Operation, int]) -> bool:
    """Say what comes of instructions at these stack pointers; the last stores to mr[1]."""
    end = len(steps)
    tracker = LeftoverTracker(1, 1, end, UTCB + 8)
    for position, (each, sp) in enumerate(steps, start=1):
        assert tracker.is_active(position)
        tracker.step(each, position, sp, {RSP: sp, RBX: UTCB}.__getitem__)
    assert not tracker.is_active(end + 1)
    return tracker.is_leftover


def test_what_was_pushed_is_none() -> None:
    assert not is_leftover((PUSH_RAX, TOP), (PUT_BACK, TOP - 8))


def test_room_that_was_made_and_not_filled_is_one() -> None:
    assert is_leftover((OTHER, TOP), (PUT_BACK, TOP - 8))


def test_a_return_address_that_a_call_has_left_is_one_once_the_stack_grows_over_it() -> None:
    called = (CALL, TOP), (OTHER, TOP - 8), (OTHER, TOP)
    assert not is_leftover((CALL, TOP), (PUT_BACK, TOP - 8))
    assert is_leftover(*called, (PUT_BACK, TOP - 8))


def test_a_copy_of_one_is_one() -> None:
    assert is_leftover((OTHER, TOP), (POP_RAX, TOP - 8), (STORE_RAX, TOP))
    assert is_leftover((OTHER, TOP), (POP_RAX, TOP - 8), (PUSH_RAX, TOP), (PUT_BACK, TOP - 8))


def test_what_was_there_before_is_none() -> None:
    assert not is_leftover((OTHER, TOP), (PUT_BACK, TOP))
