"""The canonical encoding: what two runs must share to have the same hash."""

import dataclasses

import pytest

from kernel.events import (
    End,
    Event,
    Exception_,
    Failure,
    Fate,
    Fault,
    Invocation,
    Log,
    Outcome,
    Refused,
    Switch,
    Transfer,
)
from lab.trace.format import Identity, TraceHash, encode

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
    End(1, 2, Outcome.IDLE),
]
# What the hash must not depend on (decisions: position, what was overwritten, places).
UNHASHED = {"position", "old", "overwritten", "sender_ip", "receiver_ip"}
UNHASHED_BY_KIND = {Failure: {"ip"}, Invocation: {"ip"}, Log: {"ip"}}


def digest(*events: Event, identity: Identity = IDENTITY) -> str:
    total = TraceHash(identity)
    for event in events:
        total.add(event)
    return total.hexdigest()


def test_a_transfer_has_this_encoding() -> None:
    assert encode(TRANSFER, 8).hex() == (
        "01" "8102000000000000" "05000000" "07000000" "03" "09000000"
        "0200011000000000" "1300dec000000000" "00000000"
        "02" "0100000000000000" "2a00000000000000"
    )  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_field_that_guests_can_tell_apart_is_encoded(event: Event) -> None:
    unhashed = UNHASHED | UNHASHED_BY_KIND.get(type(event), set())
    for name, value in event._asdict().items():
        if isinstance(value, tuple):
            other: object = (*value, 1)
        elif isinstance(value, bytes):
            other = value + bytes(8)
        elif isinstance(value, (Outcome, Fate)):
            other = type(value)((value + 1) % 3)
        else:
            other = value + 1
        changed = type(event)(**(event._asdict() | {name: other}))
        assert (encode(changed, 8) == encode(event, 8)) == (name in unhashed), name


def test_kinds_have_encodings_of_their_own() -> None:
    assert len({encode(event, 8)[0] for event in EVENTS}) == len(EVENTS)


def test_a_refusal_is_no_event_of_the_guests() -> None:
    assert encode(Refused(1, 2, 3, 4, 5, 6, (7,), "reason", 8), 8) == b""


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
    narrow = TRANSFER._replace(payload=TRANSFER.payload[:4] + TRANSFER.payload[8:12])
    assert encode(narrow, 4) == encode(TRANSFER, 8)
