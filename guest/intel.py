"""Instructions in Intel syntax, made safe for Keystone.

Keystone 0.9.2 accepts much that it then encodes wrongly without a word.  What is known of
that is repaired here, or refused with a message:

* an address without a register (``gs:[0]``, ``[0x1000]``) is encoded relative to rip in
  64-bit code, and without relocation for 64-bit operands: gets the null index ``riz*1``;
* immediates and displacements are cut to the operand: checked against its size; ``push``
  of more than 31 bits even becomes a 16-bit push;
* ``NUMBER + LABEL`` as an immediate becomes a memory access: labels go first;
* an unclosed bracket is closed silently: brackets must balance;
* ``pushf``, ``popf`` become 16-bit instructions: get the suffix of the architecture;
  ``iret`` likewise: refused;
* registers of the other architecture count as symbols: refused by name, as are all
  symbols that do not exist;
* ``push LABEL`` in 32-bit code becomes a byte push that cannot hold it: written in bytes;
* ``movsd`` without operands (``rep movsd``), ``endbr64`` are unknown: written in bytes;
* ``ah`` and its like beside a REX prefix abort the process: the assembler survives that,
  because Keystone has a process of its own.

A bare label as an operand is its address, never its content; ``offset`` and ``short`` are
accepted and change nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from guest.expand import RESERVED, Statement, fail
from guest.expression import ExpressionError, Kind, Token, evaluate, number
from kernel.abi import AMD64, Arch

_PREFIXES = frozenset(("lock", "rep", "repe", "repz", "repne", "repnz"))
_SIZES = {
    "byte": 8,
    "word": 16,
    "dword": 32,
    "qword": 64,
    "tbyte": 80,
    "xword": 80,
    "oword": 128,
    "xmmword": 128,
    "ymmword": 256,
    "fword": 48,
}
_WORDS = frozenset(("ptr", "offset", "short"))
_SEGMENTS = frozenset(("cs", "ds", "es", "fs", "gs", "ss"))
_OLD = ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")


def _registers() -> tuple[dict[str, int], dict[str, int]]:
    """Give the general registers of ia32 and those that only amd64 has, with their bits."""
    common = dict.fromkeys(("al", "bl", "cl", "dl", "ah", "bh", "ch", "dh"), 8)
    common |= dict.fromkeys(_OLD, 16) | dict.fromkeys([f"e{name}" for name in _OLD], 32)
    wide = dict.fromkeys([f"r{name}" for name in _OLD], 64)
    wide |= dict.fromkeys(("sil", "dil", "bpl", "spl"), 8)
    for index in range(8, 16):
        wide |= {f"r{index}": 64, f"r{index}d": 32, f"r{index}w": 16, f"r{index}b": 8}
    return common, wide


_GENERAL, _GENERAL_AMD64 = _registers()
_OTHER = frozenset(
    [*_SEGMENTS, "st", "eip", "eiz"]
    + [
        f"{name}{index}"
        for name in ("mm", "xmm", "ymm", "st", "cr", "dr")
        for index in range(8)
    ]
)
_OTHER_AMD64 = frozenset(
    ["rip", "riz"]
    + [f"{name}{index}" for name in ("xmm", "ymm", "cr") for index in range(8, 16)]
)

# Immediates whose range the first operand does not tell: mnemonic -> (lowest, first above).
_BYTE_COUNTS = frozenset(
    ("shl", "shr", "sal", "sar", "rol", "ror", "rcl", "rcr", "shld", "shrd", "in", "out", "int")
    + ("bt", "bts", "btr", "btc")
)
_BRANCHES = frozenset(("call", "jmp", "loop", "loope", "loopne", "jcxz", "jecxz", "jrcxz"))
_NO_OPERANDS = {"movsd": "0xa5", "endbr64": "0xf3, 0x0f, 0x1e, 0xfa"}
_NO_OPERANDS |= {"endbr32": "0xf3, 0x0f, 0x1e, 0xfb"}
_FLAG_PUSHES = {"pushf": ("pushfd", "pushfq"), "popf": ("popfd", "popfq")}


@dataclass(frozen=True, slots=True)
class Names:
    """What names mean in the source at hand: constants, and whether a symbol exists."""

    constant: Callable[[str], int | None]
    is_symbol: Callable[[str], bool]
    arch: Arch


def is_register(name: str) -> bool:
    """Answer whether `name` is a register of either architecture, or a word of the syntax."""
    lower = name.lower()
    return (
        lower in _GENERAL
        or lower in _GENERAL_AMD64
        or lower in _OTHER
        or lower in _OTHER_AMD64
        or lower in _SIZES
        or lower in _WORDS
    )


def render_instruction(statement: Statement, names: Names) -> str:
    """Give the text for Keystone of one instruction, on one line."""
    mnemonic, tokens = statement.name, list(statement.tokens)
    prefix = ""
    while mnemonic in _PREFIXES and tokens and tokens[0].kind is Kind.NAME:
        prefix += mnemonic + "; "
        mnemonic, tokens = tokens[0].text.lower(), tokens[1:]
    if mnemonic in _PREFIXES and not tokens:
        raise fail(
            f"expected an instruction after {mnemonic!r}, on the same line", statement.place
        )
    try:
        return prefix + _render(mnemonic, tokens, names)
    except ExpressionError as error:
        raise fail(str(error), statement.place) from None


def render_value(tokens: Sequence[Token], names: Names) -> int | str:
    """Give a constant expression's value, or the text of one that has labels in it."""
    if not tokens:
        raise ExpressionError("expected a value")
    value = evaluate(list(tokens), names.constant)
    if value is not None:
        return value
    _check_names(tokens, names, registers=False)
    labels, constant = _sum(tokens, names)
    return _join(labels, constant)


def split_operands(tokens: Iterable[Token]) -> list[list[Token]]:
    """Cut tokens at commas outside brackets."""
    found: list[list[Token]] = [[]]
    closers: list[str] = []
    for token in tokens:
        if token.kind is Kind.OPERATOR:
            if token.text in "([":
                closers.append(")" if token.text == "(" else "]")
            elif token.text in ")]" and (not closers or closers.pop() != token.text):
                raise ExpressionError(f"unexpected {token.text!r}")
            if token.text == "," and not closers:
                found.append([])
                continue
        found[-1].append(token)
    if closers:
        raise ExpressionError(f"expected {closers[-1]!r}")
    return found if len(found) > 1 or found[0] else []


def _render(mnemonic: str, tokens: list[Token], names: Names) -> str:
    wide = names.arch is AMD64
    operands = split_operands(tokens)
    if not operands:
        if mnemonic in _NO_OPERANDS:
            return f".byte {_NO_OPERANDS[mnemonic]}"
        if mnemonic in _FLAG_PUSHES:
            return _FLAG_PUSHES[mnemonic][wide]
        if mnemonic == "iret":
            raise ExpressionError(
                f"expected {'iretq or ' if wide else ''}iretd in place of iret"
            )
        return mnemonic
    rendered, first_bits = [], 0
    for index, operand in enumerate(operands):
        operand = [token for token in operand if token.text.lower() not in ("offset", "short")]
        if not operand:
            raise ExpressionError("expected an operand")
        _check_names(operand, names, registers=True)
        bits = _bits(operand, names.arch)
        if index == 0:
            first_bits = bits
        if any(token.text == "[" for token in operand):
            rendered.append(_memory(operand, names))
        elif _is_register(operand, names.arch):
            rendered.append("".join(token.text for token in operand))
        else:
            text, value = _immediate(operand, names)
            if value is not None:
                _check_range(mnemonic, index, value, first_bits, names.arch)
            elif mnemonic == "push" and not wide:
                return f".byte 0x68; .long {text}"
            rendered.append(text)
    return f"{mnemonic} {', '.join(rendered)}"


def _check_names(tokens: Sequence[Token], names: Names, *, registers: bool) -> None:
    for token in tokens:
        if token.kind is Kind.STRING:
            raise ExpressionError(f"unexpected string {token.text[:40]}")
        if token.kind is not Kind.NAME:
            continue
        name, lower = token.text, token.text.lower()
        if name == "." or names.is_symbol(name) or names.constant(name) is not None:
            continue
        if is_register(name):
            if not registers:
                raise ExpressionError(f"unexpected register {name!r}")
            only = lower in _GENERAL_AMD64 or lower in _OTHER_AMD64
            if only and names.arch is not AMD64:
                raise ExpressionError(f"{name!r} is a register of amd64 only")
            continue
        if name.startswith(RESERVED):
            raise ExpressionError(f"no label {name.split('_')[1]}: after this line")
        raise ExpressionError(f"undefined symbol {name!r}")


def _bits(operand: list[Token], arch: Arch) -> int:
    """Give the bits of a register or a sized memory operand, 0 if unknown."""
    for token in operand:
        if token.text == "[":
            return 0
        lower = token.text.lower()
        if lower in _SIZES:
            return _SIZES[lower]
        if lower in _GENERAL:
            return _GENERAL[lower]
        if lower in _GENERAL_AMD64:
            return _GENERAL_AMD64[lower]
    return 0


def _is_register(operand: list[Token], arch: Arch) -> bool:
    first = operand[0].text.lower()
    return operand[0].kind is Kind.NAME and (
        first in _GENERAL or first in _GENERAL_AMD64 or first in _OTHER or first in _OTHER_AMD64
    )


def _immediate(operand: list[Token], names: Names) -> tuple[str, int | None]:
    lower = [token.text.lower() for token in operand]
    if lower[0] in _SIZES:
        raise ExpressionError("expected an address in brackets after a size")
    value = evaluate(operand, names.constant)
    if value is not None:
        return hex(value), value
    labels, constant = _sum(operand, names)
    return _join(labels, constant), None


def _check_range(mnemonic: str, index: int, value: int, bits: int, arch: Arch) -> None:
    if mnemonic in _BRANCHES or (mnemonic.startswith("j") and index == 0):
        low, high = 0, arch.mask + 1
    elif mnemonic in _BYTE_COUNTS:
        low, high = 0, 1 << 8
    elif mnemonic in ("ret", "retf", "enter"):
        low, high = 0, 1 << (16 if index == 0 else 8)
    elif mnemonic == "push":
        low, high = -(1 << 31), 1 << (31 if arch is AMD64 else 32)
        if arch is AMD64 and value >= (1 << 64) - (1 << 31):
            return  # a negative number written without its sign
    elif 8 <= bits <= 64:
        low, high = -(1 << bits - 1), 1 << bits
    else:
        low, high = -(1 << 7), 1 << 8
    if not low <= value < high:
        raise ExpressionError(f"{value:#x} does not fit: expected {low:#x} to {high - 1:#x}")


def _memory(operand: list[Token], names: Names) -> str:
    """Render ``[SIZE ptr] [SEGMENT:] [ADDRESS]`` with its constant parts folded."""
    texts = [token.text.lower() for token in operand]
    start = texts.index("[")
    head, position = "", 0
    if texts[0] in _SIZES:
        head, position = texts[0] + " ptr ", 1 + (len(texts) > 1 and texts[1] == "ptr")
    if texts[position] in _SEGMENTS and texts[position + 1] == ":":
        head, position = f"{head}{texts[position]}:", position + 2
    if position != start or texts.index("]") != len(texts) - 1 or texts.count("[") > 1:
        raise ExpressionError("expected SIZE ptr SEGMENT:[ADDRESS], with one pair of brackets")
    registers: list[str] = []
    rest: list[Token] = []
    for sign, term in _terms(operand[start + 1 : -1]):
        if any(is_register(token.text) for token in term if token.kind is Kind.NAME):
            if sign == "-":
                raise ExpressionError("a register cannot be subtracted in an address")
            registers.append(_scaled(term, names))
        else:
            rest += [Token(Kind.OPERATOR, sign), *term]
    labels, constant = _sum(rest, names) if rest else ([], 0)
    wide = names.arch is AMD64
    low, high = -(1 << 31), 1 << (31 if wide else 32)
    if not low <= constant < high:
        if wide and constant >= (1 << 64) - (1 << 31):
            constant -= 1 << 64
        else:
            raise ExpressionError(
                f"displacement {constant:#x} does not fit: expected {low:#x} to {high - 1:#x}"
            )
    if wide and not registers:
        registers.append("riz*1")
    parts = "+".join(registers)
    for sign, label in labels:
        parts += label if sign == "+" and not parts else sign + label
    if constant or not parts:
        parts += f"{constant:+#x}" if parts else hex(constant)
    return f"{head}[{parts}]"


def _scaled(term: list[Token], names: Names) -> str:
    """Render ``REGISTER`` or ``REGISTER*SCALE``, in either order."""
    factors: list[list[Token]] = [[]]
    for token in term:
        if token.text == "*":
            factors.append([])
        else:
            factors[-1].append(token)
    registers = [
        part[0].text for part in factors if len(part) == 1 and is_register(part[0].text)
    ]
    others = [part for part in factors if len(part) != 1 or not is_register(part[0].text)]
    if len(registers) != 1 or len(others) > 1:
        raise ExpressionError("expected REGISTER or REGISTER*SCALE in an address")
    if not others:
        return registers[0]
    scale = evaluate(others[0], names.constant)
    if scale not in (1, 2, 4, 8):
        raise ExpressionError("expected a scale of 1, 2, 4 or 8 in an address")
    return f"{registers[0]}*{scale}"


def _terms(tokens: Sequence[Token]) -> list[tuple[str, list[Token]]]:
    """Cut a sum into signed terms."""
    found: list[tuple[str, list[Token]]] = []
    sign, term, depth = "+", list[Token](), 0
    for token in tokens:
        operator = token.kind is Kind.OPERATOR
        if operator and token.text in "+-" and depth == 0 and not _open(term):
            if term:
                found.append((sign, term))
                sign, term = token.text, []
            else:
                sign = "-" if (sign == "-") != (token.text == "-") else "+"
            continue
        if operator:
            depth += (token.text == "(") - (token.text == ")")
        term.append(token)
    if not term:
        raise ExpressionError("expected an address" if not found else "expected a term")
    return [*found, (sign, term)]


def _open(term: list[Token]) -> bool:
    """Answer whether `term` ends in an operator that still wants an operand."""
    return bool(term) and term[-1].kind is Kind.OPERATOR and term[-1].text != ")"


def _sum(tokens: Sequence[Token], names: Names) -> tuple[list[tuple[str, str]], int]:
    """Split a sum into signed label terms, positive ones first, and one constant."""
    value = evaluate(list(tokens), names.constant)
    if value is not None:
        return [], value
    labels: list[tuple[str, str]] = []
    constant = 0
    for sign, term in _terms(tokens):
        known = evaluate(term, names.constant)
        if known is not None:
            constant += known if sign == "+" else -known
        else:
            labels.append((sign, "".join(_text(token, names) for token in term)))
    labels.sort()  # "+" is before "-"
    return labels, constant


def _text(token: Token, names: Names) -> str:
    if token.kind is Kind.NUMBER:
        return hex(token.value)
    if token.kind is Kind.NAME:
        value = names.constant(token.text)
        return token.text if value is None else number(value).text
    return token.text


def _join(labels: list[tuple[str, str]], constant: int) -> str:
    text = "".join(sign + label for sign, label in labels).removeprefix("+")
    return f"{text}{constant:+#x}" if constant else text
