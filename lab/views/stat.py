"""Where the time of a run went, as text in the manner of `perf stat`, and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from lab.stat import TICKS_PER_CYCLE, Stat, per_cycle
from lab.views.text import printable, render_table

SCHEMA = 1
_MOST_FUNCTIONS = 20
_NOTHING = "-"

Line = Text | Table


def as_json(stat: Stat) -> dict[str, Any]:
    """Give all counts as plain data; cycles are numbers with a fraction of 1/64."""
    return {
        "schema": SCHEMA,
        "scenario": stat.scenario,
        "arch": stat.arch,
        "cpu": stat.cpu,
        "model": stat.model,
        "outcome": stat.outcome,
        "cycles": _cycles(stat.ticks),
        "thread_cycles": _cycles(stat.thread_ticks),
        "kernel_cycles": _cycles(stat.kernel_ticks),
        "idle_cycles": _cycles(stat.idle_ticks),
        "instructions": stat.instructions,
        "instructions_per_cycle": per_cycle(stat.instructions, stat.thread_ticks),
        "messages": stat.messages,
        "cycles_per_message": stat.cycles_per_message,
        "invocations": stat.invocations,
        "faults": stat.faults,
        "switches": stat.switches,
        "threads": [
            {
                "name": each.name,
                "cycles": _cycles(each.ticks),
                "instructions": each.instructions,
                "received": each.received,
                "sent": each.sent,
                "faults": each.faults,
                "switches": each.switches,
            }
            for each in stat.threads
        ],
        "functions": [
            {
                "task": each.task,
                "name": each.name,
                "cycles": _cycles(each.ticks),
                "instructions": each.instructions,
                "entries": each.entries,
            }
            for each in stat.functions()
        ],
        "guessed": [{"form": form, "executions": count} for form, count in stat.guessed],
        "trace_hash": stat.trace_hash,
    }


def render(stat: Stat) -> Iterator[Line]:
    """Render one run: the whole, its threads, its functions."""
    counted = f"cycles of {stat.cpu}, {stat.model} model"
    yield Text(f"{stat.scenario} on {stat.arch}, {counted}: {stat.outcome}")
    yield Text()
    yield from _totals(stat)
    yield Text()
    heads = ("thread", "cycles", "instructions", "per cycle", "received", "sent", "faults")
    yield render_table(
        (*heads, "switches"),
        [
            (
                printable(each.name),
                _whole(each.ticks),
                f"{each.instructions:,}",
                _ratio(per_cycle(each.instructions, each.ticks)),
                f"{each.received:,}",
                f"{each.sent:,}",
                f"{each.faults:,}",
                f"{each.switches:,}",
            )
            for each in stat.threads
        ],
    )
    yield Text()
    functions = stat.functions()
    yield render_table(
        ("function", "task", "cycles", "of threads", "instructions", "per cycle", "entered"),
        [
            (
                printable(each.name),
                printable(each.task),
                _whole(each.ticks),
                _share(each.ticks, stat.thread_ticks),
                f"{each.instructions:,}",
                _ratio(per_cycle(each.instructions, each.ticks)),
                f"{each.entries:,}",
            )
            for each in functions[:_MOST_FUNCTIONS]
        ],
    )
    if len(functions) > _MOST_FUNCTIONS:
        yield Text(f"and {len(functions) - _MOST_FUNCTIONS} more")
    if stat.guessed:
        yield Text()
        yield Text("no cost table has these forms, whose cost is guessed:")
        yield render_table(
            ("form", "executions"), [(form, f"{count:,}") for form, count in stat.guessed]
        )


def render_comparison(stats: Sequence[Stat]) -> Iterator[Line]:
    """Render runs side by side; the differences are to the first."""
    first = stats[0]
    yield Text(f"on {first.arch}, cycles of {first.cpu}, {first.model} model")
    yield Text()
    heads = ["", first.scenario]
    for stat in stats[1:]:
        heads += [stat.scenario, ""]
    rows = []
    columns = [_figures(stat) for stat in stats]
    for index, (name, base) in enumerate(columns[0]):
        row = [name, _figure(base)]
        for column in columns[1:]:
            value = column[index][1]
            row += [_figure(value), _difference(value, base)]
        rows.append(tuple(row))
    yield render_table(tuple(heads), rows)


def _totals(stat: Stat) -> Iterator[Text]:
    message = stat.cycles_per_message
    ratio = _ratio(per_cycle(stat.instructions, stat.thread_ticks))
    rows = (
        (_whole(stat.ticks), "cycles", ""),
        (_whole(stat.thread_ticks), "  in threads", _share(stat.thread_ticks, stat.ticks)),
        (_whole(stat.kernel_ticks), "  in the kernel", _share(stat.kernel_ticks, stat.ticks)),
        (_whole(stat.idle_ticks), "  idle", _share(stat.idle_ticks, stat.ticks)),
        (f"{stat.instructions:,}", "instructions", f"{ratio} per cycle of threads"),
        (
            f"{stat.messages:,}",
            "messages",
            "" if message is None else f"{message:,.1f} cycles each, all but idle ones",
        ),
        (f"{stat.invocations:,}", "invocations of kernel objects", ""),
        (f"{stat.faults:,}", "page faults and exceptions", ""),
        (f"{stat.switches:,}", "thread switches", ""),
    )
    for count, what, note in rows:
        yield Text(f"{count:>16}  {what:<32}{note}".rstrip())


def _figures(stat: Stat) -> list[tuple[str, float | None]]:
    return [
        ("cycles", _cycles(stat.ticks)),
        ("  in threads", _cycles(stat.thread_ticks)),
        ("  in the kernel", _cycles(stat.kernel_ticks)),
        ("  idle", _cycles(stat.idle_ticks)),
        ("instructions", stat.instructions),
        ("messages", stat.messages),
        ("cycles per message", stat.cycles_per_message),
        ("invocations", stat.invocations),
        ("faults", stat.faults),
        ("switches", stat.switches),
    ]


def _figure(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _difference(value: float | None, base: float | None) -> str:
    if value is None or base is None or value == base:
        return ""
    if not base:
        return f"{value - base:+,.0f}"
    return f"{100 * (value / base - 1):+.1f} %"


def _cycles(ticks: int) -> float:
    return ticks / TICKS_PER_CYCLE


def _whole(ticks: int) -> str:
    return f"{round(ticks / TICKS_PER_CYCLE):,}"


def _ratio(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else _NOTHING
