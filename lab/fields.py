"""The fields of events, as queries name them.

They are the events' own (kernel.events), objects by name or number; and a few more that
people look for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, TypeAlias

from kernel import abi
from kernel.events import (
    Awoken,
    Created,
    Deleted,
    End,
    Exception_,
    Failure,
    Fault,
    Interrupt,
    Invocation,
    Items,
    Log,
    Named,
    Refused,
    Remark,
    Resumption,
    Switch,
    Transfer,
    Waiting,
    words_of,
)
from lab.names import Names, name_of_guest
from lab.trace.format import KINDS
from lab.trace.reader import Stamped

Words: TypeAlias = tuple[int, ...]


class Kind(Enum):
    """What a field is."""

    NUMBER = "number"
    OBJECT = "object"  # a number that has a name
    TEXT = "text"
    WORDS = "words"  # of which one is taken by its number


@dataclass(frozen=True, slots=True)
class Field:
    """A field of one kind of event."""

    kind: Kind
    get: Callable[[Stamped, Names], Any]


# As a query calls the kinds of events; 0 is all.
KIND_NAMES = {
    "event": 0,
    "events": 0,
    **{
        name: KINDS[kind]
        for kind, names in {
            Transfer: ("transfer", "transfers", "message", "messages"),
            Failure: ("failure", "failures"),
            Invocation: ("invocation", "invocations"),
            Fault: ("fault", "faults"),
            Exception_: ("exception", "exceptions"),
            Switch: ("switch", "switches"),
            Log: ("log", "logs"),
            End: ("end", "ends"),
            Refused: ("refused", "refusals"),
            Waiting: ("waiting", "waits"),
            Awoken: ("awoken", "awakenings"),
            Interrupt: ("interrupt", "interrupts"),
            Named: ("named", "namings"),
            Remark: ("remark", "remarks"),
            Items: ("items",),
            Created: ("created", "creations"),
            Deleted: ("deleted", "deletions"),
            Resumption: ("resumption", "resumptions"),
        }.items()
        for name in names
    },
}
# What people ask for and no trace has.
NOT_RECORDED = frozenset(
    ("reads", "writes", "loads", "stores", "accesses", "instructions", "steps", "calls")
)

_OBJECTS = frozenset(
    ("sender", "receiver", "thread", "target", "via", "irq", "previous", "next")
)
_TEXTS = frozenset(("data", "name", "reason", "kind", "text"))


def _fields() -> dict[int, dict[str, Field]]:
    found: dict[int, dict[str, Field]] = {}
    for kind, number in KINDS.items():
        fields = found[number] = {
            "event": Field(Kind.NUMBER, lambda stamped, names: stamped.sequence)
        }
        for name, hint in kind.__annotations__.items():
            fields[name] = _own(name, hint)
        fields |= _MORE.get(kind, {})
    return found


def _own(name: str, hint: type) -> Field:
    get = attrgetter(name)
    if name in _OBJECTS:
        return Field(Kind.OBJECT, lambda stamped, names: get(stamped.event))
    if name == "operation":
        return Field(
            Kind.TEXT,
            lambda stamped, names: abi.OPERATIONS.get(
                get(stamped.event), hex(get(stamped.event))
            ),
        )
    if name in _TEXTS:
        return Field(Kind.TEXT, lambda stamped, names: _text(get(stamped.event)))
    if name in ("payload", "overwritten"):
        return _payload(name)
    if hint is int:
        return Field(Kind.NUMBER, lambda stamped, names: get(stamped.event))
    if issubclass(getattr(hint, "__origin__", hint), Enum):
        return Field(Kind.TEXT, lambda stamped, names: get(stamped.event).name.lower())
    return Field(Kind.WORDS, lambda stamped, names: get(stamped.event))


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else name_of_guest(value)


def _payload(name: str) -> Field:
    get = attrgetter(name)
    return Field(
        Kind.WORDS, lambda stamped, names: words_of(get(stamped.event), names.arch.word)
    )


def _words(name: str) -> Field:
    get = attrgetter(name)
    return Field(Kind.WORDS, lambda stamped, names: get(stamped.event))


def _count(name: str, size: int = 1) -> Field:
    get = attrgetter(name)
    return Field(Kind.NUMBER, lambda stamped, names: len(get(stamped.event)) // size)


def _of_tag(part: str) -> Field:
    get, tag = attrgetter(part), attrgetter("tag")
    return Field(
        Kind.NUMBER,
        lambda stamped, names: get(abi.decode_tag(tag(stamped.event), bits=names.arch.bits)),
    )


_MORE: dict[type, dict[str, Field]] = {
    Transfer: {
        "words": _of_tag("words"),
        "items": _of_tag("items"),
        "protocol": _of_tag("label"),
        "mr": _payload("payload"),
        "had": _payload("overwritten"),
    },
    Invocation: {
        "words": _count("words"),
        "protocol": _of_tag("label"),
        "mr": _words("words"),
        "had": _words("old"),
    },
    Waiting: {"words": _count("words"), "protocol": _of_tag("label"), "mr": _words("words")},
    Refused: {"words": _count("words"), "mr": _words("words")},
    Items: {"items": _count("items", 2), "item": _words("items"), "result": _words("results")},
    Resumption: {"words": _count("words")},
}
FIELDS = _fields()
