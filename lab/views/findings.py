"""The findings of a run together: a table, how they compare with what was expected, a count."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from lab.checker.finding import Finding, Verdict
from lab.expect import Comparison, Item, describe_item, differing
from lab.result import Run
from lab.suppress import Suppression
from lab.views.finding import NARROW, VERDICTS, place
from lab.views.layout import clamp, columns, indent, wrap
from lab.views.text import describe_count, printable


def render_table(findings: Sequence[Finding], width: int) -> Iterator[Text]:
    """Render a line for each finding; on a narrow terminal without columns."""
    width = clamp(width)
    if not findings:
        return
    if width < NARROW:
        for finding in findings:
            mark = "suppressed, " if finding.suppressed else ""
            yield from wrap(Text(f"{mark}{_name(finding)}"), width, hang=4)
        return
    rows = [tuple(Text(name, style="bold") for name in _HEAD)]
    rows += [_row(finding) for finding in findings]
    if all(finding.count == 1 for finding in findings):
        rows = [row[: len(row) - 1] for row in rows]
    yield from columns(rows, width, right=(_HEAD.index("times"),))


def render_comparison(comparison: Comparison, width: int) -> Iterator[Text]:
    """Render what is missing and what is not expected; nothing if all is as it should be."""
    if comparison.holds:
        yield Text.assemble(
            ("  ✓  ", "green"),
            f"findings {describe_count(len(comparison.matched), 'expected finding')}"
            if comparison.matched
            else "findings none",
        )
        return
    yield Text.assemble(("  ✗  ", "bold red"), "findings")
    lines: list[Text] = []
    for item in comparison.missing:
        lines.append(Text.assemble("missing     ", (printable(describe_item(item)), "green")))
        near = _nearest(item, comparison.unexpected)
        if near is not None:
            lines.append(Text(f"            {near}", style="dim"))
    for finding in comparison.unexpected:
        lines.append(Text.assemble("unexpected  ", (_name(finding), "red")))
    for line in lines:
        yield from (indent(part, 5) for part in wrap(line, clamp(width) - 5, hang=12))


def render_suppressions(run: Run, width: int) -> Iterator[Text]:
    """Render which suppressions have expired or fit no finding."""
    for suppression in run.expired:
        on = "" if suppression.expires is None else f" on {suppression.expires.isoformat()}"
        yield from wrap(
            Text.assemble(("  !  ", "yellow"), f"{_suppression(suppression)} expired{on}"),
            clamp(width),
            hang=5,
        )
    for suppression in run.unused:
        yield from wrap(
            Text.assemble(("  !  ", "yellow"), f"{_suppression(suppression)} fits no finding"),
            clamp(width),
            hang=5,
        )


def count_findings(findings: Sequence[Finding]) -> str:
    """Count findings by verdict, those apart that are suppressed."""
    shown = [finding for finding in findings if not finding.suppressed]
    by_verdict = ", ".join(
        f"{sum(finding.verdict is verdict for finding in shown):,} {verdict}"
        for verdict in Verdict
    )
    hidden = len(findings) - len(shown)
    suppressed = f", {hidden:,} suppressed" if hidden else ""
    return f"{describe_count(len(shown), 'finding')} ({by_verdict}){suppressed}"


_HEAD = ("id", "verdict", "rule", "register", "where", "thread", "times")


def _row(finding: Finding) -> tuple[Text, ...]:
    verdict: str = finding.verdict
    style = VERDICTS[finding.verdict]
    if finding.suppressed:
        verdict, style = "suppressed", "dim"
    return (
        Text(finding.id, style="bold"),
        Text(verdict, style=style),
        Text(finding.rule.value),
        Text(printable(finding.register)),
        # One column, for it folds best between the two.
        Text(f"{printable(finding.function)} {place(finding.file, finding.line)}".strip()),
        Text(printable(finding.thread)),
        Text(f"{finding.count:,}"),
    )


def _name(finding: Finding) -> str:
    where = place(finding.file, finding.line)
    return (
        f"{finding.id} {finding.verdict} {finding.rule} of {printable(finding.register)} in "
        f"{printable(finding.function) or 'unknown code'}{f' ({where})' if where else ''}, "
        f"thread {printable(finding.thread)}"
    )


def _nearest(item: Item, found: Sequence[Finding]) -> str | None:
    best: tuple[list[str], Finding] | None = None
    for finding in found:
        keys = differing(item, finding)
        if best is None or len(keys) < len(best[0]):
            best = keys, finding
    if best is None or len(best[0]) == len(item):
        return None
    keys, finding = best
    parts = [f"{key} {printable(str(getattr(finding, key, '')))}" for key in keys]
    return f"nearest: {finding.id}, but with {', '.join(parts)}"


def _suppression(suppression: Suppression) -> str:
    parts = (suppression.rule, suppression.thread, suppression.function, suppression.register)
    patterns = " ".join(printable(part) for part in parts if part)
    return f"{suppression.key} ({patterns}: {printable(suppression.reason)})"
