"""`python -m bench`: measures, prints a table, and writes JSON beside it.

Machines are shared and noisy: only ratios within one run mean anything.
"""

import json
from math import prod
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import Progress

from bench.measure import LOOPS, boot_ms, guest_ratio, process_ms, round_trips
from lab.run import run_scenario
from lab.views.text import render_table

ARCHES = ("amd64", "ia32")
REPEATS = 3
# How much of bare Unicorn's rounds an engine does, and the cycles of its call loops.
EFFORT = {"python": (0.01, 3_000_000), "compiled": (1.0, 150_000_000)}
OUTPUT = Path("bench.json")


def main() -> None:
    console = Console(highlight=False)
    engine = run_scenario("latent", check=False).engine
    share, cycles = EFFORT[engine]
    results: dict[str, object] = {"engine": engine}
    guest: dict[str, dict[str, float]] = {arch: {} for arch in ARCHES}
    trips: dict[str, dict[str, dict[str, float]]] = {
        arch: {"intra": {}, "inter": {}, "inter_traced": {}} for arch in ARCHES
    }
    jobs = len(ARCHES) * (len(LOOPS) + 7) + 3
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("measuring", total=jobs)
        for arch in ARCHES:
            for loop in LOOPS:
                ratios = [guest_ratio(loop, arch, share=share) for _ in range(REPEATS)]
                guest[arch][loop] = median(ratios)
                bar.advance(task)
            for words in ("0", "4", "63"):
                for kind, name, traced in (
                    ("inter", f"pingpong_forever_{words}", False),
                    ("inter_traced", f"pingpong_forever_{words}", True),
                ):
                    rates = [
                        round_trips(name, arch, cycles=cycles, traced=traced)
                        for _ in range(REPEATS)
                    ]
                    trips[arch][kind][words] = median(rates)
                    bar.advance(task)
            rates = [
                round_trips("pingpong_forever_intra", arch, cycles=cycles, traced=False)
                for _ in range(REPEATS)
            ]
            trips[arch]["intra"]["4"] = median(rates)
            bar.advance(task)
        results |= {"guest": guest, "round_trips": trips}
        results["boot_ms"] = boot_ms("faq_nested_call")
        bar.advance(task)
        results["import_ms"] = process_ms("-c", "import lab.cli") - process_ms("-c", "pass")
        bar.advance(task)
        results["run_ms"] = process_ms("-m", "lab.cli", "run", "faq_nested_call")
        bar.advance(task)
    _print(console, results, guest, trips)
    OUTPUT.write_text(json.dumps(results, indent=2) + "\n")


def _print(
    console: Console,
    results: dict[str, object],
    guest: dict[str, dict[str, float]],
    trips: dict[str, dict[str, dict[str, float]]],
) -> None:
    rows = [(loop, *(f"{guest[arch][loop]:.4f}" for arch in ARCHES)) for loop in LOOPS]
    means = (f"{prod(guest[arch].values()) ** (1 / len(LOOPS)):.4f}" for arch in ARCHES)
    rows.append(("geometric mean", *means))
    console.print(f"engine: {results['engine']}\n")
    console.print(render_table(("guest code, share of bare Unicorn", *ARCHES), rows))
    rows = [
        (
            f"{kind.replace('_', ', ')}, {words} words",
            *(f"{trips[a][kind][words]:,.0f}" for a in ARCHES),
        )
        for kind in ("intra", "inter", "inter_traced")
        for words in trips[ARCHES[0]][kind]
    ]
    console.print()
    console.print(render_table(("round trips per second", *ARCHES), rows))
    rows = [
        ("boot of faq_nested_call", f"{results['boot_ms']:.0f} ms"),
        ("import of lab.cli", f"{results['import_ms']:.0f} ms"),
        ("l4lab run faq_nested_call", f"{results['run_ms']:.0f} ms"),
    ]
    console.print()
    console.print(render_table(("", "median"), rows))


main()
