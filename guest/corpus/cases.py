"""What the corpus holds: cases, their scenarios, and what the checker should find in each.

Read from ``corpus.toml``; whatever is wrong there is one `GuestError`.  Names of rules and
verdicts are not known here: the checker has them.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from guest.corpus.variants import CORPUS, LANGUAGES, LEVELS
from guest.errors import GuestError
from guest.files import read_file
from guest.table import Table, did_you_mean, expected, quote

FILE = CORPUS / "corpus.toml"
INNOCENT = CORPUS / "innocent"
ASSEMBLY = "asm"

_MAX_FILE = 1 << 20
_RULE = re.compile(r"[a-z]+(?:-[a-z]+)*")
_CASE = re.compile(r"[0-9]{2}_[a-z0-9_]{1,60}")
_SCENARIO = re.compile(r"[a-z][a-z-]{0,30}")


@dataclass(frozen=True, slots=True)
class ExpectedFinding:
    """What the checker should say; a part that is None may be anything."""

    rule: str
    thread: str
    verdict: str
    register: str | None
    function: str | None
    also: tuple[str, ...] = ()  # rules that say the same in other words
    optional: bool = False  # it is true, but may be missing


@dataclass(frozen=True, slots=True)
class Variant:
    """One scenario in one form: `variant` is ``asm`` or LANGUAGE-LEVEL.

    If it is `undecidable`, its findings are notes, and neither they nor what else is found
    count.
    """

    case: str
    scenario: str
    variant: str
    path: Path
    findings: tuple[ExpectedFinding, ...]
    undecidable: bool

    @property
    def name(self) -> str:
        """The name that `find_scenario` knows: CASE/SCENARIO, with the variant if compiled."""
        return f"{self.case}/{self.path.stem}"


@dataclass(frozen=True, slots=True)
class Case:
    """A known misuse.

    `waiting` says what the kernel lacks to run it, `test` which test it is if it is about
    kernels; both are mostly empty.
    """

    number: int
    name: str
    title: str
    source: str
    pattern: str
    rule: str
    waiting: str
    test: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Twin:
    """A guest without fault; `against` is the rule that might think otherwise."""

    name: str
    against: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """All of it, in the order of the file."""

    cases: tuple[Case, ...]
    twins: tuple[Twin, ...]


def load_corpus(file: Path = FILE) -> Corpus:
    """Read and check the corpus; its scenarios must be there, but are not read."""
    try:
        content = tomllib.loads(read_file(file, limit=_MAX_FILE, what="corpus").decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise GuestError(f"not TOML: {error}", file=str(file)) from None
    top = Table(str(file), "", content)
    folder = file.parent
    cases = tuple(_case(table, folder) for table in top.tables("case"))
    twins = tuple(_twin(table, folder / INNOCENT.name) for table in top.tables("twin"))
    top.finish()
    _check_unique(top, "case", [str(case.number) for case in cases])
    _check_unique(top, "case", [case.name for case in cases])
    _check_unique(top, "twin", [twin.name for twin in twins])
    return Corpus(cases, twins)


def _case(table: Table, folder: Path) -> Case:
    number = table.integer("number", None, low=1, high=99)
    name = _matching(table, "name", _CASE, "a name such as 01_nested_call")
    if not name.startswith(f"{number:02}_"):
        raise table.error("name", f"{quote(name)} does not begin with its number, {number:02}")
    case = Case(
        number=number,
        name=name,
        title=table.string("title"),
        source=table.string("source"),
        pattern=table.string("pattern"),
        rule=_matching(table, "rule", _RULE, "the name of a rule"),
        waiting=table.string("waiting", ""),
        test=table.string("test", ""),
        variants=tuple(
            variant
            for scenario in table.tables("scenario")
            for variant in _scenario(scenario, name, folder / name)
        ),
    )
    table.finish()
    if bool(case.variants) == bool(case.test):
        raise table.error(None, "expected either scenarios or the test that this case is")
    return case


def _scenario(table: Table, case: str, folder: Path) -> list[Variant]:
    name = _matching(table, "name", _SCENARIO, "the name of a scenario")
    languages = _languages(table)
    undecidable = _flag(table, "undecidable")
    findings = [_finding(inner, languages) for inner in table.tables("findings")]
    table.finish()
    return [
        Variant(
            case=case,
            scenario=name,
            variant=variant,
            path=path,
            findings=tuple(found[variant] for found in findings if variant in found),
            undecidable=undecidable,
        )
        for variant, path in _forms(table, name, languages, folder)
    ]


def _languages(table: Table) -> tuple[str, ...]:
    languages = table.strings("languages")
    for language in languages:
        if language not in LANGUAGES:
            hint = did_you_mean(language, sorted(LANGUAGES))
            raise table.error("languages", f"unknown language {quote(language)}{hint}")
    return languages


def _forms(
    table: Table, name: str, languages: tuple[str, ...], folder: Path
) -> list[tuple[str, Path]]:
    """Give variant and file of each form of a scenario, assembly first."""
    forms = [(ASSEMBLY, folder / f"{name}.toml")]
    for language in languages:
        for level in LEVELS:
            variant = f"{language}-{level}"
            forms.append((variant, folder / f"{name}-{variant}.toml"))
    for _, path in forms:
        if not path.is_file():
            raise table.error("name", f"there is no scenario {path}")
    return forms


def _finding(table: Table, languages: tuple[str, ...]) -> dict[str, ExpectedFinding]:
    """Take a finding apart: what it is in each of the variants that it is for."""
    rule = _matching(table, "rule", _RULE, "the name of a rule")
    verdict = _matching(table, "verdict", _RULE, "a verdict")
    thread = table.string("thread")
    register = table.string("register", "") or None
    function = table.string("function", "") or None
    function_cxx = table.string("function_cxx", "") or function
    also = table.strings("also")
    optional = _flag(table, "optional")
    only = table.strings("only")
    table.finish()
    variants = {ASSEMBLY: ASSEMBLY}  # with the language of each
    variants |= {f"{language}-{level}": language for language in languages for level in LEVELS}
    known = (ASSEMBLY, *languages)
    for form in only:
        if form not in known and form not in variants:
            raise table.error("only", f"{quote(form)}: expected of {', '.join(known)}")
    return {
        variant: ExpectedFinding(
            rule,
            thread,
            verdict,
            register,
            function_cxx if language == "cxx" else function,
            also,
            optional,
        )
        for variant, language in variants.items()
        if not only or variant in only or language in only
    }


def _twin(table: Table, folder: Path) -> Twin:
    name = table.name()
    against = _matching(table, "against", _RULE, "the name of a rule")
    languages = _languages(table)
    table.finish()
    return Twin(
        name,
        against,
        tuple(
            Variant(folder.name, name, variant, path, (), undecidable=False)
            for variant, path in _forms(table, name, languages, folder)
        ),
    )


def _flag(table: Table, key: str) -> bool:
    value = table.take(key) or False
    if not isinstance(value, bool):
        raise table.error(key, expected("true or false", value))
    return value


def _matching(table: Table, key: str, pattern: re.Pattern[str], wanted: str) -> str:
    value = table.string(key)
    if not pattern.fullmatch(value):
        raise table.error(key, expected(wanted, value))
    return value


def _check_unique(top: Table, key: str, names: list[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise top.error(key, f"{quote(name)} is there twice")
