"""`make accuracy`: how far the model is from measured blocks, kernel paths and programs.

The data is not ours to ship: CYCLES_DATA (or the argument) names a folder with
bhive-CPU.csv, a block in hex, a comma and the measured cycles of an unrolled copy a line.

Blocks are split by a hash of their bytes.  Rules of the model were chosen by looking at the
*seen* half; of the *unseen* half nothing but its sum was ever printed.
"""

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from rich.console import Console

from bench import kernel_paths, whole
from bench.kernel_paths import CALIBRATED_CPU
from bench.statistic import mean_error, median_error
from emu.cycles.block import BlockModel
from emu.cycles.cpu import CPUS
from emu.cycles.decode import Undecodable
from emu.timing import FAST, FULL, Timing
from lab.views.text import render_table

# The flat cost that has the least mean error on Skylake's blocks.
FLAT_CYCLES = 0.35
MCA_NAMES = {"skylake": "skylake", "haswell": "haswell"}
MCA_BLOCKS = 300  # it takes several milliseconds each


@dataclass(frozen=True, slots=True)
class Measured:
    code: bytes
    cycles: float

    @property
    def is_seen(self) -> bool:
        return not blake2b(self.code, digest_size=1).digest()[0] & 1


def load_blocks(path: Path) -> list[Measured]:
    found = []
    for line in path.read_text("ascii").splitlines():
        code, cycles = line.split(",")
        found.append(Measured(bytes.fromhex(code), float(cycles)))
    return found


def kendall_tau(predicted: Sequence[float], measured: Sequence[float]) -> float:
    """Give Kendall's tau-b: how well the order of the blocks is told."""
    concordant = ties_p = ties_m = 0
    count = len(predicted)
    for i in range(count):
        p, m = predicted[i], measured[i]
        for j in range(i):
            by_p, by_m = p - predicted[j], m - measured[j]
            if not by_p:
                ties_p += 1
            if not by_m:
                ties_m += 1
            if by_p and by_m:
                concordant += 1 if (by_p > 0) == (by_m > 0) else -1
    pairs = count * (count - 1) / 2
    return float(concordant / ((pairs - ties_p) * (pairs - ties_m)) ** 0.5)


def mca_cycles(block: Measured, cpu: str) -> float | None:
    """Ask llvm-mca for the reciprocal throughput of a block."""
    rounds = 100
    bytes_of = " ".join(f"0x{byte:02x}" for byte in block.code)
    assembled = subprocess.run(
        ["llvm-mc", "--disassemble", "--triple=x86_64", "--output-asm-variant=0"],
        input=bytes_of,
        capture_output=True,
        text=True,
        check=False,
    )
    done = subprocess.run(
        ["llvm-mca", "--mtriple=x86_64", f"--mcpu={cpu}", f"--iterations={rounds}"],
        input=assembled.stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        if line.startswith("Total Cycles:"):
            return int(line.split()[-1]) / rounds
    return None


def _row(name: str, predicted: Sequence[float], blocks: Sequence[Measured]) -> tuple[str, ...]:
    measured = [block.cycles for block in blocks]
    return (
        name,
        str(len(blocks)),
        f"{mean_error(predicted, measured):.2f} %",
        f"{median_error(predicted, measured):.2f} %",
        f"{kendall_tau(predicted, measured):.3f}",
    )


def report(cpu: str, blocks: Sequence[Measured]) -> tuple[list[tuple[str, ...]], str]:
    """Give the rows of one CPU's table, and what the model took."""
    model = BlockModel(CPUS[cpu], is_amd64=True)
    begin = time.process_time()
    predicted: dict[bytes, float] = {}
    for block in blocks:
        try:
            predicted[block.code] = model.unrolled(block.code).cycles
        except Undecodable:
            predicted[block.code] = 1.0
    took = 1000 * (time.process_time() - begin) / len(blocks)
    halves = {
        "seen half": [block for block in blocks if block.is_seen],
        "unseen half": [block for block in blocks if not block.is_seen],
        "all": list(blocks),
    }
    counts = [len(model.prices(block.code)) for block in blocks]
    rows = [
        _row("1 cycle per instruction", [float(n) for n in counts], blocks),
        _row(
            f"{FLAT_CYCLES} cycles per instruction", [FLAT_CYCLES * n for n in counts], blocks
        ),
    ]
    if cpu in MCA_NAMES and shutil.which("llvm-mca") and shutil.which("llvm-mc"):
        some = list(blocks[:MCA_BLOCKS])
        asked = [(block, mca_cycles(block, MCA_NAMES[cpu])) for block in some]
        told = [(block, cycles) for block, cycles in asked if cycles is not None]
        rows.append(_row("llvm-mca", [c for _, c in told], [block for block, _ in told]))
    rows += [
        _row(f"this model, {name}", [predicted[b.code] for b in half], half)
        for name, half in halves.items()
    ]
    return rows, f"{took:.2f} ms a block"


def _print_whole(console: Console) -> None:
    cpu = whole.this_core()
    if cpu is None:
        console.print("whole programs: there is no table of this machine's core")
        return
    for model in (FAST, FULL):
        programs = whole.measure(Timing(cpu, model))
        if not programs:
            console.print("whole programs: there is no gcc")
            return
        console.print(f"whole programs on this core, {cpu}: {model} model")
        console.print(render_table(whole.HEADS, whole.rows(programs)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("CYCLES_DATA", "data")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(default))
    folder = parser.parse_args().folder
    console = Console(highlight=False)
    console.print("kernel paths: cycles of one direction of an IPC, and of a system call")
    console.print(
        render_table(
            kernel_paths.HEADS, kernel_paths.rows(kernel_paths.measure(CALIBRATED_CPU))
        )
    )
    _print_whole(console)
    found = [(cpu, folder / f"bhive-{cpu}.csv") for cpu in CPUS]
    found = [(cpu, path) for cpu, path in found if path.exists()]
    if not found:
        console.print(
            f"accuracy: no bhive-CPU.csv in {folder}: CYCLES_DATA=FOLDER make accuracy",
            soft_wrap=True,
        )
        return 3
    for cpu, path in found:
        rows, took = report(cpu, load_blocks(path))
        console.print(f"{cpu}: {took}")
        heads = ("model", "blocks", "mean error", "median error", "Kendall's tau")
        console.print(render_table(heads, rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
