"""The tables of detection, and docs/accuracy.md, which holds them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from bench.detection.baseline import Baseline
from bench.detection.score import Mark, Part, Result
from lab.checker.finding import Rule, Verdict

Row = tuple[str, ...]

HEAD = ("rule", "level", "there", "found", "recall", "false", "precision", "verdicts")

_LEVELS = ("asm", "O0", "O2", "O2-noinline")
_VERDICTS = (Verdict.CONFIRMED, Verdict.PROBABLE, Verdict.LATENT, Verdict.NOTE)
_TITLES = {
    Part.CORPUS: "The corpus, by rule and level of optimisation",
    Part.TWINS: "Twins, by the rule that might think otherwise",
    Part.SHIPPED: "Scenarios that ship",
    Part.GENERATED: "Generated programs, by what is the matter with a word",
    Part.MUTANTS: "Mutants, by what was changed",
}
_INTRO = """\
# How good the checker is

`make detection` runs everything of which it is known what the checker should say, on both
architectures, and writes this file. The rows are as measured; what is not found, and what is
reported without cause, is listed by name below.

A thing is *found* when its rule, thread, register and function are reported, with verdict
confirmed or probable, or latent where the corpus says that the value is right by luck.
*False* is every other finding that is more than a note. Precision is what was found, of what
was found and false. A level is how the guest was compiled; `asm` is assembly.

`python -m bench.detection --check` fails when anything is missed or reported that was not
so before; what was is in `bench/detection/baseline.json`.
"""
_UNDECIDABLE = """\
## Undecidable

These guests could be innocent, byte for byte. They must yield the note, and are not counted.
"""


def rows_of(marks: Iterable[Mark], part: Part) -> list[Row]:
    """Give the rows of a part, in the order of rules and levels, and their sum."""
    chosen = [mark for mark in marks if mark.part is part]
    groups: dict[tuple[str, str], list[Mark]] = {}
    for mark in chosen:
        groups.setdefault((mark.rule, mark.level), []).append(mark)
    rows = [
        _row(rule, level, groups[rule, level])
        for rule, level in sorted(
            groups, key=lambda key: (_order(key[0]), _LEVELS.index(key[1]))
        )
    ]
    levels = sorted({level for _, level in groups}, key=_LEVELS.index)
    if len(levels) > 1:
        rows += [_row("all", lv, [m for m in chosen if m.level == lv]) for lv in levels]
    return [*rows, _row("all", "", chosen)]


def tables(marks: Sequence[Mark]) -> Iterator[tuple[str, list[Row]]]:
    """Give title and rows of every table."""
    for part, title in _TITLES.items():
        if any(mark.part is part for mark in marks):
            yield title, rows_of(marks, part)


def document(marks: Sequence[Mark], baseline: Baseline) -> str:
    """Write docs/accuracy.md."""
    lines = [_INTRO]
    for title, rows in tables(marks):
        lines += [f"## {title}", "", *_markdown(HEAD, rows), ""]
    undecidable = [mark for mark in marks if mark.part is Part.UNDECIDABLE]
    lines += [
        _UNDECIDABLE,
        *(f"- {mark.where}: {_given(mark)}" for mark in undecidable),
        "",
        *_listed("Missed", [mark for mark in marks if mark.result is Result.MISS], baseline),
        *_listed("False", [mark for mark in marks if mark.result is Result.FALSE], baseline),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _listed(title: str, marks: Sequence[Mark], baseline: Baseline) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    groups: dict[str, list[str]] = {}
    for mark in marks:
        names = groups.setdefault(baseline.reason(mark), [])
        names.append(f"{mark.part.value}: {mark.name}")
    for reason, names in groups.items():
        yield f"- {reason[:1].upper()}{reason[1:] or 'Not known why'}."
        yield from (f"  - {name}" for name in names)
    if not marks:
        yield "Nothing."
    yield ""


def _given(mark: Mark) -> str:
    return f"`{mark.rule}`" if mark.result is Result.HIT else f"`{mark.rule}` is MISSING"


def _row(rule: str, level: str, marks: Sequence[Mark]) -> Row:
    results = Counter(mark.result for mark in marks)
    hits, misses, false = (results[r] for r in (Result.HIT, Result.MISS, Result.FALSE))
    clean = results[Result.CLEAN]
    verdicts = Counter(mark.verdict for mark in marks if mark.result is Result.HIT)
    there = hits + misses
    shown = ", ".join(f"{verdicts[v]} {v.value}" for v in _VERDICTS if verdicts[v])
    if clean:
        shown = f"{shown}, {clean} runs clean" if shown else f"{clean} runs clean"
    return (
        rule,
        level,
        str(there),
        str(hits),
        _percent(hits, there),
        str(false),
        _percent(hits, hits + false),
        shown,
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _order(rule: str) -> tuple[int, str]:
    rules = [item.value for item in Rule]
    return (rules.index(rule), "") if rule in rules else (len(rules), rule)


def _markdown(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"
