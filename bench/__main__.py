"""`python -m bench`: measures at length, prints tables, and writes JSON beside them."""

import json
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench.figures import as_json, render
from bench.suite import FULL, measure

OUTPUT = Path("bench.json")


def main() -> None:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("measuring", total=None)
        figures = measure(
            FULL, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    console = Console(highlight=False)
    for line in render(figures):
        console.print(line)
    OUTPUT.write_text(json.dumps(as_json(figures), indent=2) + "\n")


if __name__ == "__main__":
    main()
