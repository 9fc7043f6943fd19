"""`make detection`: how much the checker finds, and how much of that is wrong.

It prints the tables and writes docs/accuracy.md and the baseline; with ``--check`` it writes
nothing, and fails when anything is missed or reported that was not so before.
"""

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench.detection.baseline import load_baseline, shrunk, store_baseline, worse
from bench.detection.score import Mark
from bench.detection.subjects import SEEDS, Subject, look, subjects
from bench.detection.table import HEAD, document, tables
from lab.views.text import render_table

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "accuracy.md"


def measure(chosen: Sequence[Subject], *, processes: int, progress: Progress) -> list[Mark]:
    """Look at all subjects, in parallel; the marks are in the order of the subjects."""
    task = progress.add_task("checking", total=len(chosen))
    found: dict[int, list[Mark]] = {}
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(look, subject): k for k, subject in enumerate(chosen)}
        for done in as_completed(waiting):
            found[waiting[done]] = done.result()
            progress.advance(task)
    return [mark for k in sorted(found) for mark in found[k]]


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.detection", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the baseline only")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of generated programs")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        chosen = subjects(given.seeds)
        marks = measure(chosen, processes=given.processes, progress=bar)
    console = Console(highlight=False)
    for title, rows in tables(marks):
        console.print(f"\n{title}", style="bold")
        console.print(render_table(HEAD, rows))
    if given.check or given.seeds != SEEDS:
        return _check(console, marks, whole=given.seeds >= SEEDS)
    store_baseline(marks)
    DOCUMENT.write_text(document(marks, load_baseline()))
    return 0


def _check(console: Console, marks: Sequence[Mark], *, whole: bool) -> int:
    baseline = load_baseline()
    complaints = worse(marks, baseline)
    if whole:
        complaints += shrunk(marks, baseline)
    for line in complaints:
        console.print(line, soft_wrap=True, markup=False)
    if whole and not complaints and DOCUMENT.read_text() != document(marks, baseline):
        console.print("docs/accuracy.md has other figures: make detection writes it")
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
