"""A kernel that was frozen and thawed goes on as if nothing had happened."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel import abi
from kernel.errors import UsageError
from kernel.events import Event
from kernel.freeze import freeze, thaw
from kernel.irq import bind, schedule
from tests.kernel.desk import SELF, SEND_ZERO, Desk, SysCall, Work, tag

WAIT = SysCall(SELF | abi.WAIT)


def scene() -> Desk:
    """Set a scene in which, at one time or another, every kind of state is in use."""
    desk = Desk()
    slot = 3 << 12 | abi.CAP_REPLY_BIT
    server = desk.thread(
        SysCall(slot | abi.WAIT),
        Work(3000),
        SysCall(slot | abi.REPLY_AND_WAIT, tag(1), timeout=SEND_ZERO),
        Work(500),
        SysCall(SELF | abi.WAIT),
        SysCall(SELF | abi.REPLY_AND_WAIT, tag(2)),
        priority=3,
    )
    semaphore = desk.kernel.create_semaphore()
    made = desk.kernel.create_irq()
    bind(desk.kernel, made, server, 0x99)
    for cycle in (2000, 7000, 7000, 20_000):
        schedule(desk.kernel, made, cycle)
    desk.cap(server, 0x30, made)
    for k in range(4):
        client = desk.idle_thread(priority=2 + k % 2)
        gate = desk.cap(client, 0x20, desk.gate(server if k else None, k << 4))
        call = SysCall(gate | abi.CALL, tag(k, k), words=tuple(range(k)), timeout=7)
        other = desk.cap(client, 0x31, semaphore)
        down = SysCall(
            other | abi.CALL, tag(abi.Protocol.SEMAPHORE, 1), timeout=9 if k else 0, words=(0,)
        )
        up = SysCall(other | abi.SEND, tag(abi.Protocol.IRQ))
        desk.program(client, Work(100), call, down if k < 3 else up, call, up)
    return desk


def events(*stops: int) -> list[Event]:
    """Run the scene, frozen and thawed at each stop."""
    desk = scene()
    for stop in stops:
        desk.run(until=stop)
        desk.kernel = thaw(freeze(desk.kernel), desk.machine, recorder=desk.recording)
    desk.run()
    return desk.recording.events


def test_freezing_a_thawed_kernel_gives_the_same_bytes() -> None:
    desk = scene()
    desk.run(until=5000)
    frozen = freeze(desk.kernel)

    assert freeze(thaw(frozen, desk.machine)) == frozen


@given(st.lists(st.integers(0, 40_000), max_size=5).map(sorted))
@settings(max_examples=60, deadline=None)
def test_a_run_frozen_anywhere_has_the_same_events(stops: list[int]) -> None:
    assert events(*stops) == events()


def test_thawing_maps_the_pages_of_every_task_again() -> None:
    desk = scene()
    spaces = {number: dict(pages) for number, pages in desk.machine.spaces.items()}
    frozen = freeze(desk.kernel)
    for pages in desk.machine.spaces.values():
        pages.clear()

    thaw(frozen, desk.machine)

    assert desk.machine.spaces == spaces


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"{}",
        b"[]",
        b'{"version": 99}',
        freeze(scene().kernel)[:-40],
        freeze(scene().kernel).replace(b'"Thread"', b'"Kernel"'),
    ],
)
def test_what_is_no_frozen_kernel_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"^not a frozen kernel: "):
        thaw(data, scene().machine)


def test_a_frozen_kernel_is_plain_json() -> None:
    state = json.loads(freeze(scene().kernel))
    assert state["version"] == 3
    assert state["kinds"]["1"] == "Log"
