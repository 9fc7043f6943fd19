"""Comparing two runs by what others can see: by thread, by name, and without any time.

What a thread sends, asks of kernel objects, prints and fails with is observable; when it
does so, and in which order with other threads, is not.  Two programs that do the same are
equal in this, however they were compiled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from guest.scenario import Scenario
from kernel.kernel import end, run
from lab.names import Names
from lab.replay.observe import MOST, Item, Observer
from lab.replay.system import boot, load_programs
from lab.trace.console import decode_console


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a run: what each thread did, as lines, and how it ended."""

    outcome: str
    threads: dict[str, tuple[str, ...]]
    is_complete: bool  # false: more happened than is kept, or the budget was over


def observe(scenario: Scenario, *, cycles: int | None = None) -> Seen:
    """Run a scenario and take note of all that is observable."""
    images = load_programs(scenario)
    observer = Observer(scenario.arch.word)
    system = boot(scenario, images, recorder=observer)
    observer.log = system.kernel.log.number
    try:
        outcome = run(system.kernel, scenario.cycles if cycles is None else cycles)
        end(system.kernel, outcome)
        names = system.names
        threads = {
            names.of(number): tuple(_join(items, names))
            for number, items in sorted(observer.observed.items.items())
        }
        name = outcome.name.lower()
        return Seen(name, threads, name != "budget" and observer.observed.count < MOST)
    finally:
        system.close()


def first_difference(left: Seen, right: Seen, threads: Sequence[str] | None = None) -> str:
    """Say in which thread, and in what it did, two runs differ first; empty if in nothing.

    Only `threads` are compared, by default all.  A run that its budget ended is compared as
    far as it went.
    """
    names = sorted(left.threads.keys() | right.threads.keys()) if threads is None else threads
    for name in names:
        ours, theirs = left.threads.get(name, ()), right.threads.get(name, ())
        for number, (one, other) in enumerate(zip(ours, theirs, strict=False), 1):
            if one != other:
                return f"{name}, action {number}:\n  one    {one}\n  other  {other}"
        at = min(len(ours), len(theirs))
        if len(ours) > at and right.is_complete:
            return f"{name}, action {at + 1}:\n  one    {ours[at]}\n  other  (nothing any more)"
        if len(theirs) > at and left.is_complete:
            return (
                f"{name}, action {at + 1}:\n  one    (nothing any more)\n  other  {theirs[at]}"
            )
    if threads is None and left.outcome != right.outcome:
        return f"outcome: {left.outcome} and {right.outcome}"
    return ""


def _join(items: Sequence[tuple[int, Item]], names: Names) -> list[str]:
    # What is printed is one text, in however many parts it was written.
    lines: list[str] = []
    printed = b""
    for _, (kind, target, tag, content) in items:
        if kind == "print":
            assert isinstance(content, bytes)
            printed += content
            continue
        if printed:
            lines.append(f"prints {decode_console(printed)!r}")
            printed = b""
        words = "".join(f" {word:#x}" for word in content)
        what = f" to {names.of(target)}" if kind in ("send", "invoke") else f" {target:#x}"
        lines.append(f"{kind}s{what} tag {tag:#x}{words}")
    if printed:
        lines.append(f"prints {decode_console(printed)!r}")
    return lines
