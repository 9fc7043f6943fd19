"""Constant expressions of the assembler, and the tokens that sources are made of.

Operators and precedence are those of C; a comparison gives 1 or 0.  Values are exact
and must stay within a 64-bit word, signed or unsigned.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

MAX_DEPTH = 32

_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*+(?P<close>"?))
      | (?P<number>[0-9][0-9A-Za-z_]*|'(?:\\.|[^'\\])')
      | (?P<name>[A-Za-z_.$][A-Za-z0-9_.$]*)
      | (?P<operator><<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!()\[\],:=<>])
      | (?P<space>\s+)
      | (?P<bad>.)""",
    re.VERBOSE | re.DOTALL,
)
_LOCAL = re.compile(r"[0-9]+[bf]", re.IGNORECASE)
_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "\\": 92, '"': 34, "'": 39, "b": 8, "f": 12}
_ESCAPE = re.compile(r"\\(?:x(?P<hex>[0-9A-Fa-f]{1,2})|(?P<octal>[0-7]{1,3})|(?P<char>.))")
_PRECEDENCE = {
    "||": 1,
    "&&": 2,
    "|": 3,
    "^": 4,
    "&": 5,
    "==": 6,
    "!=": 6,
    "<": 7,
    "<=": 7,
    ">": 7,
    ">=": 7,
    "<<": 8,
    ">>": 8,
    "+": 9,
    "-": 9,
    "*": 10,
    "/": 10,
    "%": 10,
}


class ExpressionError(Exception):
    """An expression is malformed; the text says how."""


class Kind(Enum):
    """What a token is."""

    STRING = "string"
    NUMBER = "number"
    NAME = "name"
    LOCAL = "local"  # 1b, 1f: a reference to a numeric label
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a statement."""

    kind: Kind
    text: str
    value: int = 0  # of a number


def tokenize(text: str) -> list[Token]:
    """Cut a statement into tokens; blanks are dropped."""
    tokens = []
    for match in _TOKEN.finditer(text):
        kind, found = match.lastgroup, match.group()
        if kind == "string" and not match["close"]:
            raise ExpressionError(f"expected a closing quote: {found[:40]}")
        if kind == "bad":
            raise ExpressionError(f"unexpected character {found!r}")
        if kind == "space":
            continue
        if kind == "number":
            if _LOCAL.fullmatch(found) and found[:2].lower() not in ("0b", "0f"):
                tokens.append(Token(Kind.LOCAL, found.lower()))
            else:
                tokens.append(Token(Kind.NUMBER, found, _number(found)))
        else:
            tokens.append(Token(Kind(kind), found))
    return tokens


def number(value: int) -> Token:
    """Make the token of a number."""
    return Token(Kind.NUMBER, hex(value), value)


def decode_string(text: str) -> bytes:
    """Decode a quoted string with C escapes; other characters are UTF-8."""
    out = bytearray()
    position, body = 0, text[1:-1]
    for match in _ESCAPE.finditer(body):
        out += body[position : match.start()].encode()
        position = match.end()
        if match["hex"]:
            out.append(int(match["hex"], 16))
        elif match["octal"]:
            code = int(match["octal"], 8)
            if code > 255:
                raise ExpressionError(f"escape \\{match['octal']} is above a byte")
            out.append(code)
        elif match["char"] in _ESCAPES:
            out.append(_ESCAPES[match["char"]])
        else:
            raise ExpressionError(f"unknown escape \\{match['char']}")
    return bytes(out + body[position:].encode())


def evaluate(tokens: list[Token], lookup: Callable[[str], int | None]) -> int | None:
    """Compute an expression, or give None if a name in it has no value yet."""
    parser = _Parser(tokens, lookup)
    value = parser.binary(0, 0)
    if parser.position < len(tokens):
        raise ExpressionError(f"unexpected {tokens[parser.position].text!r} in an expression")
    return value


class _Parser:
    """Precedence climbing; None stands for an unknown value and is contagious."""

    __slots__ = ("lookup", "position", "tokens")

    def __init__(self, tokens: list[Token], lookup: Callable[[str], int | None]) -> None:
        self.tokens = tokens
        self.lookup = lookup
        self.position = 0

    def binary(self, level: int, depth: int) -> int | None:
        left = self._unary(depth)
        while self.position < len(self.tokens):
            operator = self.tokens[self.position].text
            precedence = _PRECEDENCE.get(operator, 0)
            if precedence <= level or self.tokens[self.position].kind is not Kind.OPERATOR:
                break
            self.position += 1
            right = self.binary(precedence, depth + 1)
            left = None if left is None or right is None else _apply(operator, left, right)
        return left

    def _unary(self, depth: int) -> int | None:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"an expression is nested deeper than {MAX_DEPTH}")
        if self.position == len(self.tokens):
            raise ExpressionError("expected a number or a name at the end of an expression")
        token = self.tokens[self.position]
        self.position += 1
        match token.kind:
            case Kind.NUMBER:
                return token.value
            case Kind.NAME:
                return self.lookup(token.text)
            case Kind.LOCAL:
                return None
        match token.text:
            case "(":
                value = self.binary(0, depth + 1)
                if self.position == len(self.tokens) or self.tokens[self.position].text != ")":
                    raise ExpressionError("expected ')' in an expression")
                self.position += 1
                return value
            case "-" | "+" | "~" | "!":
                operand = self._unary(depth + 1)
                if operand is None:
                    return None
                results = {"-": -operand, "+": operand, "~": ~operand, "!": int(not operand)}
                return results[token.text]
        raise ExpressionError(f"unexpected {token.text!r} in an expression")


def _apply(operator: str, left: int, right: int) -> int:
    match operator:
        case "+":
            value = left + right
        case "-":
            value = left - right
        case "*":
            value = left * right
        case "/" | "%":
            if right == 0:
                raise ExpressionError("division by zero")
            quotient = abs(left) // abs(right)
            quotient = quotient if (left < 0) == (right < 0) else -quotient
            value = quotient if operator == "/" else left - right * quotient
        case "<<" | ">>":
            if not 0 <= right < 64:
                raise ExpressionError(f"shift by {right}, expected 0 to 63")
            value = left << right if operator == "<<" else left >> right
        case "&":
            value = left & right
        case "|":
            value = left | right
        case "^":
            value = left ^ right
        case "&&":
            value = int(left != 0 and right != 0)
        case "||":
            value = int(left != 0 or right != 0)
        case "==":
            value = int(left == right)
        case "!=":
            value = int(left != right)
        case "<":
            value = int(left < right)
        case "<=":
            value = int(left <= right)
        case ">":
            value = int(left > right)
        case _:
            value = int(left >= right)
    if not -(1 << 63) <= value < 1 << 64:
        raise ExpressionError(f"the value of {operator!r} does not fit 64 bits")
    return value


def _number(text: str) -> int:
    if text[0] == "'":
        code = decode_string(text)
        if len(code) != 1:
            raise ExpressionError(f"{text} is not one byte")
        return code[0]
    lower = text.lower()
    try:
        if lower.startswith(("0x", "0b", "0o")):
            value = int(lower, 0) if "_" not in lower else -1
        elif lower.endswith("h"):
            value = int(lower[:-1], 16)
        elif "_" in lower or len(lower) > 25:
            value = -1
        else:
            value = int(lower, 8 if lower[0] == "0" and len(lower) > 1 else 10)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 64:
        raise ExpressionError(f"{text[:40]!r} is not a number of at most 64 bits")
    return value
