"""What one run has shown of the checker: what it should have found, held against what it did.

Rule 1: each thing expected gives one mark, HIT or MISS, and each finding beyond one, FALSE.
Rule 2: a hit has the expected rule or one that says the same, and the thread, register,
        function and verdict; confirmed and probable are one, latent is another.
Rule 3: notes and what is suppressed are no findings.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from bench.detection.mutants import Standing as MutantStanding
from guest.corpus.cases import ExpectedFinding
from guest.corpus.generate import Standing, Truth, Use
from guest.corpus.mutate import Change, Mutant
from lab.checker.finding import Finding, Rule, Verdict
from lab.expect import Comparison, describe_item

WRONG = (Verdict.CONFIRMED, Verdict.PROBABLE)

_SENT_RULES = (Rule.SETUP_CLOBBERED, Rule.LEAKED_WORD)
_REGISTER = re.compile(r"mr\[(\d+)(?:\.\.(\d+))?\]")
_SERVER = "server"


class Part(Enum):
    """What was run."""

    CORPUS = "corpus"
    UNDECIDABLE = "undecidable"
    TWINS = "twins"
    SHIPPED = "shipped scenarios"
    GENERATED = "generated programs"
    MUTANTS = "mutants"


class Result(Enum):
    """What a mark says."""

    HIT = "hit"
    MISS = "miss"
    FALSE = "false"
    CLEAN = "clean"  # a run in which nothing had to be found, nor was


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that was or was not found.

    `rule` is what the row is about: a rule, or the kind of a word or of a mutant.
    """

    part: Part
    rule: str
    level: str
    result: Result
    where: str  # the scenario and architecture
    what: str
    verdict: str = ""  # of what was found

    @property
    def name(self) -> str:
        """Tell it from every other."""
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where marks are made."""

    part: Part
    level: str
    where: str

    def mark(self, result: Result, rule: str, what: str, verdict: str = "") -> Mark:
        """Make one."""
        return Mark(self.part, rule, self.level, result, self.where, what, verdict)

    def false(self, finding: Finding, rule: str = "") -> Mark:
        """Make one for a finding that should not be; the row is its rule's if none is given."""
        what = f"{finding.verdict.value} {_shown(finding)}"
        return self.mark(Result.FALSE, rule or finding.rule.value, what, finding.verdict.value)


def of_case(
    place: Place, expected: Sequence[ExpectedFinding], findings: Sequence[Finding]
) -> Iterator[Mark]:
    """Mark a guilty guest of the corpus."""
    left = _counted(findings)
    for wanted in sorted(expected, key=lambda item: item.optional):
        found = next((finding for finding in left if _fits(wanted, finding)), None)
        if found is not None:
            left.remove(found)
        if wanted.optional:
            continue
        result = Result.MISS if found is None else Result.HIT
        verdict = "" if found is None else found.verdict.value
        yield place.mark(result, wanted.rule, _wanted(wanted), verdict)
    yield from map(place.false, left)


def of_undecidable(
    place: Place, expected: Sequence[ExpectedFinding], findings: Sequence[Finding]
) -> Iterator[Mark]:
    """Mark a guest that could be innocent: only the note is asked for."""
    notes = [finding for finding in findings if finding.verdict is Verdict.NOTE]
    for wanted in expected:
        there = any(_fits(wanted, finding) for finding in notes)
        result = Result.HIT if there else Result.MISS
        yield place.mark(result, wanted.rule, _wanted(wanted), Verdict.NOTE.value)


def of_twin(place: Place, against: str, findings: Sequence[Finding]) -> Iterator[Mark]:
    """Mark a guest without fault; the row is of the rule that might think otherwise."""
    left = _counted(findings)
    if not left:
        yield place.mark(Result.CLEAN, against, "nothing")
    for finding in left:
        yield place.false(finding, against)


def of_shipped(place: Place, comparison: Comparison | None) -> Iterator[Mark]:
    """Mark a scenario that ships, as its own file expects; None: it takes any findings."""
    if comparison is None:
        return
    if not comparison.matched and not comparison.missing and not comparison.unexpected:
        yield place.mark(Result.CLEAN, "none expected", "nothing")
    for item, finding in comparison.matched:
        what, verdict = describe_item(item), finding.verdict.value
        yield place.mark(Result.HIT, finding.rule.value, what, verdict)
    for item in comparison.missing:
        yield place.mark(Result.MISS, str(item.get("rule", "any")), describe_item(item))
    for finding in comparison.unexpected:
        yield place.false(finding)


def of_generated(
    place: Place, truths: Iterable[Truth], findings: Sequence[Finding]
) -> Iterator[Mark]:
    """Mark a generated program, by what its generator knows of each word.

    Two uses of one word after one message are one finding, so they are one mark.
    """
    standings: dict[tuple[bool, int], set[Standing]] = {}
    for truth in truths:
        key = truth.use is Use.SENT, truth.register
        standings.setdefault(key, set()).add(truth.standing)
    left = _counted(findings)
    spans = {id(finding): _words(finding) for finding in left}
    for (sent, register), found in sorted(standings.items(), key=lambda item: item[0]):
        about = [f for f in left if _is_about(f, spans[id(f)], sent=sent, register=register)]
        for standing, row, verdicts in (
            (Standing.WRONG, "wrong", WRONG),
            (Standing.EQUAL, "equal by luck", (Verdict.LATENT,)),
        ):
            if standing not in found:
                continue
            # A range is as bad as the worst of its words.
            hit = next((f for f in about if f.verdict in verdicts or _is_range(f)), None)
            result = Result.MISS if hit is None else Result.HIT
            what = f"{row}: mr[{register}] {'sent' if sent else 'read'}"
            verdict = "" if hit is None else hit.verdict.value
            yield place.mark(result, f"{row}, {'sent' if sent else 'read'}", what, verdict)
    wrong = 0
    for finding in left:
        sent = finding.rule in _SENT_RULES
        words = spans[id(finding)] if finding.thread == _SERVER else range(0)
        about_it = set[Standing]().union(*(standings.get((sent, k), set()) for k in words))
        standing = Standing.EQUAL if finding.verdict is Verdict.LATENT else Standing.WRONG
        if not about_it & {standing, Standing.FRAGILE}:
            wrong += 1
            yield place.false(finding, "not wrong")
    if not wrong:
        yield place.mark(Result.CLEAN, "not wrong", "nothing beyond")


def of_mutant(
    place: Place, mutant: Mutant, standing: MutantStanding, findings: Sequence[Finding]
) -> Iterator[Mark]:
    """Mark a mutant against one partner, by what execution has shown of it."""
    left = [finding for finding in _counted(findings) if finding.verdict in WRONG]
    register = mutant.register
    about = [
        finding
        for finding in left
        if finding.thread == _SERVER and (register is None or register in _words(finding))
    ]
    row = mutant.change.value
    match standing:
        case MutantStanding.WRONG:
            verdict = about[0].verdict.value if about else ""
            yield place.mark(Result.HIT if about else Result.MISS, row, "wrong", verdict)
        case MutantStanding.EQUAL if mutant.change is Change.READ_MOVED:
            latent = [f for f in _counted(findings) if f.verdict is Verdict.LATENT]
            verdict = latent[0].verdict.value if latent else ""
            result = Result.HIT if latent and not left else Result.MISS
            yield place.mark(result, f"{row}, equal by luck", "equal by luck", verdict)
        case MutantStanding.EQUIVALENT:
            yield from map(place.false, left)
        case _:
            pass  # whether the word is used, execution does not show


def of_original(place: Place, findings: Sequence[Finding]) -> Iterator[Mark]:
    """Mark a server before it is changed."""
    return of_twin(place, "unchanged", findings)


def _counted(findings: Iterable[Finding]) -> list[Finding]:
    return [f for f in findings if not f.suppressed and f.verdict is not Verdict.NOTE]


def _fits(wanted: ExpectedFinding, finding: Finding) -> bool:
    return (
        finding.rule in (wanted.rule, *wanted.also)
        and finding.thread == wanted.thread
        and wanted.register in (None, finding.register)
        and wanted.function in (None, finding.function)
        and _is_as_bad(wanted.verdict, finding.verdict)
    )


def _is_as_bad(wanted: str, verdict: Verdict) -> bool:
    return verdict in WRONG if wanted in WRONG else verdict == wanted


def _wanted(wanted: ExpectedFinding) -> str:
    function = f" in {wanted.function}" if wanted.function else ""
    return f"{wanted.verdict} {wanted.rule} {wanted.thread} {wanted.register or ''}{function}"


def _shown(finding: Finding) -> str:
    function = f" in {finding.function}" if finding.function else ""
    return f"{finding.rule.value} {finding.thread} {finding.register}{function}"


def _words(finding: Finding) -> range:
    match = _REGISTER.fullmatch(finding.register)
    return range(int(match[1]), int(match[2] or match[1]) + 1) if match else range(0)


def _is_range(finding: Finding) -> bool:
    return len(_words(finding)) > 1


def _is_about(finding: Finding, words: range, *, sent: bool, register: int) -> bool:
    is_sent = finding.rule in _SENT_RULES
    return finding.thread == _SERVER and register in words and is_sent == sent
