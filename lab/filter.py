"""The language of `l4lab query`: which events are wanted, by their fields (docs/trace.md).

    query      = kinds ["where" condition]
    kinds      = kind {"," kind}
    condition  = both {"or" both}
    both       = simple {"and" simple}
    simple     = "not" simple | "(" condition ")" | comparison
    comparison = value operator value | value ["not"] "in" "(" value {"," value} ")"
               | value ["not"] "like" text
    operator   = "=" | "!=" | "<" | "<=" | ">" | ">="
    value      = number | text | field | field "[" number "]"

Rule 1: what can be wrong is found before the first event is looked at, and points at a
character.
Rule 2: a field that an event does not have, or a word beyond its count, makes a comparison
false.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple, NoReturn, TypeAlias

from guest.errors import GuestError
from guest.table import did_you_mean
from lab.fields import FIELDS, KIND_NAMES, NOT_RECORDED, Field, Kind, Words
from lab.names import Names
from lab.query import NOT_STORED
from lab.trace.format import KINDS
from lab.trace.reader import Stamped

LONGEST = 4096  # characters
_DEEPEST = 50  # conditions in each other
_TOKEN = re.compile(
    r"""(?P<number>0[xX][0-9a-fA-F_]+\b|[0-9][0-9_]*\b)
      | (?P<text>'[^']*'|"[^"]*")
      | (?P<word>[A-Za-z][A-Za-z0-9_]*)
      | (?P<sign><=|>=|!=|==|[-=<>()\[\],])
    """,
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[object, object], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
_ORDER: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_RESERVED = ("where", "and", "or", "not", "in", "like")

_Scalar: TypeAlias = "int | str | None"
_Get: TypeAlias = Callable[[Stamped], _Scalar]
Accepts: TypeAlias = Callable[[Stamped], bool]


class QueryError(GuestError):
    """A query is wrong at its character `at`, counted from 0."""

    def __init__(self, message: str, *, text: str, at: int) -> None:
        super().__init__(message, file="query", key=f"character {at + 1}")
        self.text = text
        self.at = at

    def __str__(self) -> str:
        """Show the query, and below it where it is wrong."""
        shown = "".join(c if c.isprintable() else "?" for c in self.text)
        begin = max(self.at - 60, 0)
        line = shown[begin : self.at + 20]
        return f"{super().__str__()}\n  {line}\n  {' ' * (self.at - begin)}^"


@dataclass(frozen=True, slots=True)
class Filter:
    """What a query asks for: `kinds` is a set with a bit for every kind of record."""

    kinds: int
    accepts: Accepts


def parse_query(text: str, names: Names) -> Filter:
    """Read a query; `names` are those of the run that it is about.

    Raises QueryError.
    """
    if len(text) > LONGEST:
        raise QueryError(f"over {LONGEST} characters", text=text[:LONGEST], at=LONGEST)
    return _Parser(text, names).parse()


class _Token(NamedTuple):
    form: str  # number, text, word, sign, or empty at the end
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class _Value:
    """One side of a comparison; `literal` is what is written there, if that is no field."""

    kind: Kind
    get: _Get
    at: int
    literal: int | str | None = None


class _Parser:
    def __init__(self, text: str, names: Names) -> None:
        self.text = text
        self.names = names
        self.tokens = self._split()
        self.next = 0
        self.kinds: list[int] = []

    def parse(self) -> Filter:
        self.kinds.append(self._kind())
        while self._take(","):
            self.kinds.append(self._kind())
        accepts: Accepts = _always
        if self._take("where"):
            accepts = self._condition(0)
        token = self._peek()
        if token.form:
            wanted = "the end" if accepts is not _always else "'where' or the end"
            self._fail(token, f"expected {wanted}, found {_shown(token)}")
        return Filter(sum({1 << kind for kind in self._all_kinds()}), accepts)

    def _all_kinds(self) -> set[int]:
        every = set(KINDS.values())
        return every if 0 in self.kinds else set(self.kinds)

    def _split(self) -> list[_Token]:
        found = []
        at = 0
        while at < len(self.text):
            if self.text[at].isspace():
                at += 1
                continue
            match = _TOKEN.match(self.text, at)
            if match is None:
                what = "a text without its end" if self.text[at] in "'\"" else "unexpected"
                raise QueryError(f"{what}: {self.text[at]!r}", text=self.text, at=at)
            assert match.lastgroup is not None
            found.append(_Token(match.lastgroup, match[0], at))
            at = match.end()
        found.append(_Token("", "", len(self.text)))
        return found

    def _peek(self) -> _Token:
        return self.tokens[self.next]

    def _advance(self) -> _Token:
        token = self.tokens[self.next]
        self.next += bool(token.form)
        return token

    def _take(self, text: str) -> bool:
        token = self._peek()
        if token.form in ("word", "sign") and token.text.lower() == text:
            self.next += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        token = self._peek()
        if not self._take(text):
            self._fail(token, f"expected {text!r}, found {_shown(token)}")

    def _fail(self, token: _Token, message: str) -> NoReturn:
        raise QueryError(message, text=self.text, at=token.at)

    def _kind(self) -> int:
        token = self._advance()
        word = token.text.lower()
        if word in NOT_RECORDED:
            self._fail(token, f"{word} are {NOT_STORED}")
        if token.form != "word" or word not in KIND_NAMES:
            hint = did_you_mean(word, list(KIND_NAMES)) if token.form == "word" else ""
            self._fail(
                token,
                f"expected a kind of event such as transfers, faults or events, "
                f"found {_shown(token)}{hint}",
            )
        return KIND_NAMES[word]

    def _condition(self, depth: int) -> Accepts:
        parts = [self._both(depth)]
        while self._take("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else lambda s: any(part(s) for part in parts)

    def _both(self, depth: int) -> Accepts:
        parts = [self._simple(depth)]
        while self._take("and"):
            parts.append(self._simple(depth))
        return parts[0] if len(parts) == 1 else lambda s: all(part(s) for part in parts)

    def _simple(self, depth: int) -> Accepts:
        token = self._peek()
        if depth > _DEEPEST:
            self._fail(token, f"over {_DEEPEST} conditions in each other")
        if self._take("not"):
            inner = self._simple(depth + 1)
            return lambda s: not inner(s)
        if self._take("("):
            inside = self._condition(depth + 1)
            self._expect(")")
            return inside
        return self._comparison()

    def _comparison(self) -> Accepts:
        left = self._value()
        is_negated = self._take("not")
        if self._take("in"):
            found = self._member(left)
        elif self._take("like"):
            found = self._like(left)
        elif is_negated:
            self._fail(self._peek(), "expected 'in' or 'like' after 'not'")
        else:
            return self._compare(left)
        # What is absent is neither in nor out.
        get = left.get
        return (lambda s: get(s) is not None and not found(s)) if is_negated else found

    def _member(self, left: _Value) -> Accepts:
        self._expect("(")
        parts = [self._equal(left, self._value(), operator.eq)]
        while self._take(","):
            parts.append(self._equal(left, self._value(), operator.eq))
        self._expect(")")
        return lambda s: any(part(s) for part in parts)

    def _like(self, left: _Value) -> Accepts:
        token = self._advance()
        if token.form != "text":
            self._fail(token, f"expected a text such as 'serv*', found {_shown(token)}")
        if left.kind is Kind.NUMBER:
            self._fail(
                token, "a number is like no text: expected a name or a text before 'like'"
            )
        pattern = token.text[1:-1]
        get = self._named(left)

        def matches(stamped: Stamped) -> bool:
            value = get(stamped)
            return isinstance(value, str) and fnmatchcase(value, pattern)

        return matches

    def _compare(self, left: _Value) -> Accepts:
        token = self._advance()
        if token.text in _COMPARE:
            return self._equal(left, self._value(), _COMPARE[token.text])
        if token.text not in _ORDER:
            self._fail(token, f"expected a comparison such as = or <, found {_shown(token)}")
        right = self._value()
        for side in (left, right):
            if side.kind is not Kind.NUMBER:
                self._fail(_Token("", "", side.at), f"{token.text} compares numbers only")
        compare = _ORDER[token.text]
        get_left, get_right = left.get, right.get

        def holds(stamped: Stamped) -> bool:
            a, b = get_left(stamped), get_right(stamped)
            return isinstance(a, int) and isinstance(b, int) and compare(a, b)

        return holds

    def _equal(
        self, left: _Value, right: _Value, compare: Callable[[object, object], bool]
    ) -> Accepts:
        get_left, get_right = left.get, right.get
        kinds = {left.kind, right.kind}
        if kinds == {Kind.OBJECT, Kind.TEXT}:
            # By name; an object itself may have a name or be a number.
            for side, other in ((left, right), (right, left)):
                if side.kind is Kind.OBJECT and isinstance(other.literal, str):
                    self._check_name(other)
            get_left, get_right = self._named(left), self._named(right)
        elif kinds == {Kind.NUMBER, Kind.TEXT}:
            wrong = right if right.literal is not None else left
            what = "a number" if wrong.kind is Kind.TEXT else "a text"
            self._fail(_Token("", "", wrong.at), f"expected {what}")

        def holds(stamped: Stamped) -> bool:
            a, b = get_left(stamped), get_right(stamped)
            return a is not None and b is not None and compare(a, b)

        return holds

    def _check_name(self, value: _Value) -> None:
        # A name that nothing has is a slip; a number such as #12 is a name, too.
        assert isinstance(value.literal, str)
        known = {*self.names.objects.values(), *self.names.given.values()}
        if value.literal not in known and "#" not in value.literal:
            hint = did_you_mean(value.literal, sorted(known))
            self._fail(
                _Token("", "", value.at), f"nothing is called {value.literal[:40]!r}{hint}"
            )

    def _named(self, value: _Value) -> _Get:
        if value.kind is not Kind.OBJECT:
            return value.get
        get, names = value.get, self.names

        def name(stamped: Stamped) -> _Scalar:
            number = get(stamped)
            return names.of(number) if isinstance(number, int) else None

        return name

    def _value(self) -> _Value:
        token = self._advance()
        sign = 1
        if token.text == "-":
            sign, token = -1, self._advance()
            if token.form != "number":
                self._fail(token, f"expected a number, found {_shown(token)}")
        if token.form == "number":
            number = self._number(token) * sign
            return _Value(Kind.NUMBER, lambda s: number, token.at, number)
        if token.form == "text":
            text = token.text[1:-1]
            return _Value(Kind.TEXT, lambda s: text, token.at, text)
        if token.form != "word" or token.text.lower() in _RESERVED:
            self._fail(token, f"expected a field, a number or a text, found {_shown(token)}")
        return self._field(token)

    def _number(self, token: _Token) -> int:
        try:
            return int(token.text, 0 if token.text[:2].lower() == "0x" else 10)
        except ValueError:
            self._fail(token, f"{token.text[:40]} is no number")

    def _field(self, token: _Token) -> _Value:
        name = token.text.lower()
        fields = {
            kind: FIELDS[kind][name] for kind in self._all_kinds() if name in FIELDS[kind]
        }
        if not fields:
            known = sorted({field for kind in self._all_kinds() for field in FIELDS[kind]})
            hint = did_you_mean(name, known)
            self._fail(token, f"no field {name[:40]!r}{hint}: there are {', '.join(known)}")
        kind = next(iter(fields.values())).kind
        if any(field.kind is not kind for field in fields.values()):
            self._fail(token, f"{name} means different things in these kinds of events")
        if kind is Kind.WORDS:
            return self._word(token, name, fields)
        if self._peek().text == "[":
            self._fail(self._peek(), f"{name} is a single value")
        by_kind = {event: field.get for event, field in _by_class(fields).items()}

        def get(stamped: Stamped) -> _Scalar:
            of = by_kind.get(type(stamped.event))
            value = None if of is None else of(stamped, self.names)
            assert not isinstance(value, tuple)
            return value

        return _Value(kind, get, token.at)

    def _word(self, token: _Token, name: str, fields: dict[int, Field]) -> _Value:
        bracket = self._peek()
        if not self._take("["):
            self._fail(bracket, f"expected [ and the number of a word after {name}")
        number = self._advance()
        if number.form != "number":
            self._fail(number, f"expected the number of a word, found {_shown(number)}")
        index = self._number(number)
        self._expect("]")
        by_kind = {event: field.get for event, field in _by_class(fields).items()}

        def get(stamped: Stamped) -> _Scalar:
            of = by_kind.get(type(stamped.event))
            words: Words = () if of is None else of(stamped, self.names)
            assert isinstance(words, tuple)
            return words[index] if index < len(words) else None

        return _Value(Kind.NUMBER, get, token.at)


def _by_class(fields: dict[int, Field]) -> dict[type, Field]:
    classes = {number: kind for kind, number in KINDS.items()}
    return {classes[number]: field for number, field in fields.items()}


def _always(stamped: Stamped) -> bool:
    return True


def _shown(token: _Token) -> str:
    return repr(token.text[:40]) if token.form else "the end"
