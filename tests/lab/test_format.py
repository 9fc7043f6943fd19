"""The canonical encoding: what two runs must share to have the same hash."""

import contextlib
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.scenario import load_scenario
from kernel.abi import AMD64
from kernel.events import (
    Awoken,
    Created,
    Deleted,
    End,
    Event,
    Exception_,
    Failure,
    Fate,
    Fault,
    Firing,
    Interrupt,
    Invocation,
    Items,
    Log,
    Named,
    Outcome,
    Purpose,
    Refused,
    Remark,
    Switch,
    Transfer,
    Waiting,
)
from kernel.kernel import end, run
from kernel.recorder import Recorder
from lab.names import Names
from lab.recorder import LAST_EVENTS, RunRecorder
from lab.replay.system import boot, identify, load_programs
from lab.trace.format import Identity, decode, encode

IDENTITY = Identity(arch="amd64", model="flat", images=("aa", "bb"))
TRANSFER = Transfer(
    cycle=641,
    position=5,
    sender=7,
    receiver=5,
    operation=3,
    via=9,
    tag=0x1001_0002,
    label=0xC0DE_0013,
    error=0,
    payload=b"".join(word.to_bytes(8, "little") for word in (1, 42)),
    overwritten=bytes(16),
    sender_ip=0x400010,
    receiver_ip=0x400020,
)
EVENTS: list[Event] = [
    TRANSFER,
    Failure(cycle=1, position=2, thread=3, operation=3, target=4, error=7, ip=8),
    Invocation(1, 2, 3, 1, 4, 0x5, (1, 2), 0x6, (3,), (0,), 9),
    Fault(1, 2, 3, 0xBAD000, 6, 0x400000, Fate.KILLED),
    Exception_(1, 2, 3, 13, 0, 0x400000, Fate.STUCK),
    Switch(1, 2, 3, 4),
    Log(1, 2, 3, b"hello\n", 9),
    Waiting(1, 2, 3, 3, 4, 5, (0,), 9),
    Awoken(1, 2, 3, 4, 5, 9),
    Interrupt(1, 2, 3, Firing.QUEUED),
    Named(1, 2, 3, 4, b"worker", 9),
    Remark(1, 2, 3, 4, Purpose.VALUES, b"state", (1, 2, 3), 9),
    End(1, 2, Outcome.IDLE),
    Items(1, 2, 3, 4, 5, (8, 9), (10, 11)),
    Created(1, 2, 3, 4, "gate"),
    Deleted(1, 2, 3),
]
REFUSED = Refused(1, 2, 3, 4, -11, 6, (7,), "reason", 8)


class Forwarder(Recorder):
    """Gives whole events on, as a recorder that overrides nothing gets them."""

    __slots__ = ("recorder", "seen")

    def __init__(self, recorder: RunRecorder, seen: list[Event]) -> None:
        super().__init__()
        self.recorder = recorder
        self.seen = seen

    def record(self, event: Event) -> None:
        self.seen.append(event)
        self.recorder.record(event)


def digest(*events: Event, identity: Identity = IDENTITY) -> str:
    total = RunRecorder(identity)
    for event in events:
        total.record(event)
    return total.trace_hash()


def test_a_transfer_has_this_encoding() -> None:
    head = (641, 5, 7, 5, 3, 9, 0x1001_0002, 0xC0DE_0013, 0, 0x400010, 0x400020)
    assert encode(TRANSFER, 8) == [1 | 16 << 8, *head, 1, 42, 0, 0]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_field_is_encoded(event: Any) -> None:
    for name, value in event._asdict().items():
        if isinstance(value, tuple):
            other: object = (*value, 1)
        elif isinstance(value, bytes):
            other = value + bytes(8)
        elif isinstance(value, str):
            other = value + "s"
        elif isinstance(value, (Outcome, Fate, Firing)):
            other = type(value)((value + 1) % 3)
        else:
            other = value + 1
        changed = event._replace(**{name: other})
        assert encode(changed, 8) != encode(event, 8), name


@pytest.mark.parametrize("event", [*EVENTS, REFUSED], ids=lambda event: type(event).__name__)
def test_what_was_encoded_is_decoded(event: Event) -> None:
    again = decode(encode(event, 8), 8)
    assert again == event
    assert type(again) is type(event)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=40), st.integers(0, 16))
def test_decoding_nonsense_is_a_value_error(words: list[int], kind: int) -> None:
    words[0] = kind | len(words) << 8
    for word in (4, 8):
        with contextlib.suppress(ValueError):
            decode(words, word)


@pytest.mark.parametrize("arch", ["amd64", "ia32"])
def test_the_recorder_writes_what_encode_gives(arch: str) -> None:
    scenario = load_scenario("ipc_errors", arch=arch)
    seen: list[Event] = []
    images = load_programs(scenario)
    fast = RunRecorder(identify(scenario, images))
    slow = RunRecorder(identify(scenario, images))
    for recorder in (fast, Forwarder(slow, seen)):
        system = boot(scenario, images, recorder=recorder)
        end(system.kernel, run(system.kernel, scenario.cycles))
        system.close()
    assert any(isinstance(event, Transfer) for event in seen)
    assert any(isinstance(event, Switch) for event in seen)
    assert fast.trace_hash() == slow.trace_hash()


def test_the_last_events_are_kept_in_order() -> None:
    recorder = RunRecorder(IDENTITY)
    events = [Switch(k, k, k + 1, k + 2) for k in range(10_000)]
    for event in events:
        recorder.switch(*event)
    assert recorder.last() == tuple(events[len(events) - LAST_EVENTS :])


def test_kinds_have_encodings_of_their_own() -> None:
    assert len({encode(event, 8)[0] & 0xFF for event in EVENTS}) == len(EVENTS)


def test_a_refusal_is_no_event_of_the_guests() -> None:
    assert digest(EVENTS[0], REFUSED, EVENTS[1]) == digest(EVENTS[0], EVENTS[1])


def test_the_order_of_events_counts() -> None:
    assert digest(EVENTS[0], EVENTS[1]) != digest(EVENTS[1], EVENTS[0])


@pytest.mark.parametrize(
    "changed",
    [
        dataclasses.replace(IDENTITY, arch="ia32"),
        dataclasses.replace(IDENTITY, model="other"),
        dataclasses.replace(IDENTITY, images=("aab", "b")),
        dataclasses.replace(IDENTITY, images=("aa",), variation=("bb",)),
        dataclasses.replace(IDENTITY, variation=("poison",)),
    ],
)
def test_everything_in_the_identity_counts(changed: Identity) -> None:
    assert digest(identity=changed) != digest()


def test_a_hash_is_sixteen_bytes() -> None:
    assert digest(*EVENTS) == digest(*EVENTS)
    assert len(bytes.fromhex(digest(*EVENTS))) == 16


def test_words_of_four_bytes_are_encoded_as_eight() -> None:
    payload = TRANSFER.payload[:4] + TRANSFER.payload[8:12]
    narrow = TRANSFER._replace(payload=payload, overwritten=bytes(8))
    assert encode(narrow, 4) == encode(TRANSFER, 8)


def test_a_thread_made_at_run_time_is_called_by_its_task_and_then_by_its_given_name() -> None:
    recorder = RunRecorder(IDENTITY)
    names = recorder.names = Names(AMD64, {3: "server.worker"})
    for number, kind in ((9, "thread"), (10, "gate")):
        recorder.record(Created(1, 2, 3, number, kind))
    assert [names.of(k) for k in (9, 10)] == ["server.#9", "#10"]

    recorder.record(Named(1, 2, 9, 9, b"painter", 0))
    recorder.record(Named(1, 2, 9, 3, b"another", 0))
    assert [names.of(k) for k in (9, 3)] == ["painter", "server.worker"]
