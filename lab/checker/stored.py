"""Findings as a trace stores them: JSON objects, made values again.

Rule 1: nothing is believed: what is not as `lab.views.finding_json` writes it is a ValueError.
Rule 2: no text in them can steer a terminal.
"""

import json
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from lab.checker.finding import (
    Access,
    Attribution,
    Clobber,
    Consequence,
    Effect,
    Finding,
    Frame,
    Message,
    Rule,
    Verdict,
    Word,
)

_Json: TypeAlias = "dict[str, _Json] | list[_Json] | str | int | float | bool | None"
_Value = TypeVar("_Value")
_MOST = 1 << 64
_LONGEST = 2 + 2 * 1024  # characters of a number: some bytes of a UTCB may be one


def finding_from_json(body: str) -> Finding:
    """Make the finding that a text is of."""
    try:
        value: _Json = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    part = _Object(value)
    return Finding(
        id=part.text("id"),
        rule=Rule(part.text("rule")),
        verdict=Verdict(part.text("verdict")),
        attribution=Attribution(part.text("attribution")),
        effect=Effect(part.text("effect")),
        thread=part.text("thread"),
        task=part.text("task"),
        register=part.text("register"),
        offset=part.number("offset"),
        size=part.number("size"),
        function=part.text("function"),
        file=part.text("file"),
        line=part.number("line"),
        access=_access(part.value("access")),
        summary=part.text("summary"),
        expected=part.hex("expected"),
        actual=part.hex("actual"),
        message=part.optional("message", _message),
        clobber=part.optional("clobber", _clobber),
        words=part.all("words", _word),
        consequences=part.all("consequences", _consequence),
        checks=part.all("checks", _check),
        cure=part.text("cure"),
        count=part.number("count"),
        identity=part.all("identity", _text),
        suppressed=part.text("suppressed"),
    )


class _Object:
    """An object that is taken apart; what is absent or null is empty or zero."""

    def __init__(self, value: _Json) -> None:
        if not isinstance(value, dict):
            raise ValueError("no object where one should be")
        self._values = value

    def value(self, key: str) -> _Json:
        return self._values.get(key)

    def text(self, key: str) -> str:
        value = self._values.get(key)
        return "" if value is None else _text(value)

    def number(self, key: str, *, low: int = 0) -> int:
        value = self._values.get(key)
        if value is None:
            return 0
        if type(value) is not int or not low <= value < _MOST:
            raise ValueError(f"{key} is no number")
        return value

    def flag(self, key: str) -> bool:
        return self._values.get(key) is True

    def hex(self, key: str) -> int | None:
        value = self._values.get(key)
        return None if value is None else _hex(value)

    def word(self, key: str) -> int:
        return self.hex(key) or 0

    def position(self, key: str) -> int | None:
        return None if self._values.get(key) is None else self.number(key)

    def optional(self, key: str, make: Callable[[_Json], _Value]) -> _Value | None:
        value = self._values.get(key)
        return None if value is None else make(value)

    def all(self, key: str, make: Callable[[_Json], _Value]) -> tuple[_Value, ...]:
        value = self._values.get(key)
        if not isinstance(value, list):
            raise ValueError(f"{key} is no list")
        return tuple(make(each) for each in value)


def _text(value: _Json) -> str:
    if not isinstance(value, str):
        raise ValueError("no text where one should be")
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in value)


def _hex(value: _Json) -> int:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError("no number in hex where one should be")
    if len(value) > _LONGEST:
        raise ValueError("a number that is too large")
    return int(value[2:], 16)


def _frame(value: _Json) -> Frame:
    part = _Object(value)
    return Frame(
        part.text("function"),
        part.text("symbol"),
        part.word("pc"),
        part.text("file"),
        part.number("line"),
        part.flag("inlined"),
    )


def _access(value: _Json) -> Access:
    part = _Object(value)
    return Access(
        part.number("position"),
        part.number("cycle"),
        part.word("pc"),
        part.text("instruction"),
        part.all("stack", _frame),
    )


def _message(value: _Json) -> Message:
    part = _Object(value)
    return Message(
        id=part.text("id"),
        sender=part.text("sender"),
        receiver=part.text("receiver"),
        via=part.text("via"),
        label=part.word("label"),
        protocol=part.number("protocol", low=-_MOST),
        words=part.all("words", _hex),
        items=part.number("items"),
        born=part.number("born"),
        cycle=part.number("cycle"),
        owner=part.text("owner"),
        died=part.position("died"),
    )


def _word(value: _Json) -> Word:
    part = _Object(value)
    return Word(
        register=part.text("register"),
        delivered=part.hex("delivered"),
        now=part.word("now"),
        writer=part.text("writer"),
        state=part.text("state"),
        here=part.flag("here"),
        read=part.optional("read", _access),
        unread=part.flag("unread"),
    )


def _clobber(value: _Json) -> Clobber:
    part = _Object(value)
    return Clobber(
        message=part.optional("message", _message),
        stores=part.all("stores", _access),
        delivery=part.position("delivery"),
        call=part.optional("call", _access),
    )


def _consequence(value: _Json) -> Consequence:
    part = _Object(value)
    return Consequence(
        part.text("what"), part.number("position"), part.text("actual"), part.text("expected")
    )


def _check(value: _Json) -> tuple[str, str]:
    part = _Object(value)
    return part.text("what"), part.text("result")
