"""The corpus of known misuse as a table for people and as JSON."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from guest.corpus.cases import Case, Corpus, Variant
from lab.views.text import render_table


def render(corpus: Corpus) -> Iterator[Table | str]:
    """Show a line for each case, and what they are held against."""
    rows = [
        (str(case.number), case.name, case.pattern, case.rule, case.source, _forms(case))
        for case in corpus.cases
    ]
    yield render_table(("", "case", "pattern", "rule", "reported in", "forms"), rows)
    yield ""
    twins = [
        (f"innocent/{twin.name}", twin.against, _names(twin.variants)) for twin in corpus.twins
    ]
    yield render_table(("guests without fault", "that a rule might report", "forms"), twins)


def as_json(corpus: Corpus) -> dict[str, Any]:
    """Give all of the corpus as one value for JSON."""
    return {
        "schema": 1,
        "cases": [
            {
                "number": case.number,
                "name": case.name,
                "title": case.title,
                "source": case.source,
                "pattern": case.pattern,
                "rule": case.rule,
                "waiting": case.waiting,
                "test": case.test,
                "scenarios": [_variant(variant) for variant in case.variants],
            }
            for case in corpus.cases
        ],
        "twins": [
            {
                "name": f"innocent/{twin.name}",
                "against": twin.against,
                "scenarios": [_variant(variant) for variant in twin.variants],
            }
            for twin in corpus.twins
        ],
    }


def _forms(case: Case) -> str:
    if case.test:
        return "a test of the kernel"
    forms = _names(case.variants)
    return f"{forms} (waits for {case.waiting})" if case.waiting else forms


def _names(variants: tuple[Variant, ...]) -> str:
    return " ".join(dict.fromkeys(variant.variant for variant in variants))


def _variant(variant: Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "variant": variant.variant,
        "undecidable": variant.undecidable,
        "findings": [
            {
                "rule": finding.rule,
                "also": list(finding.also),
                "optional": finding.optional,
                "verdict": finding.verdict,
                "thread": finding.thread,
                "register": finding.register,
                "function": finding.function,
            }
            for finding in variant.findings
        ],
    }
