"""Whole programs: what l4lab counts for them, and what this machine's own core takes.

Rule 1: both sides run the same code, compiled by the same compiler with the same options.
Rule 2: a core's cycles are told by a chain of additions (bench/programs/host.c); where that
is not stable, as on a busy virtual machine, nothing is claimed.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.statistic import mean_error, median_error
from emu.timing import Timing
from guest.scenario import load_scenario
from kernel.kernel import run
from lab.replay.system import boot, load_programs

PROGRAMS = Path(__file__).parent / "programs"
LEVELS = ("O1", "O2")
HEADS = ("program", "core", "model", "error")
NO_CLOCK = "no stable clock"

# Families and models of Intel cores, as cpuid has them (64 and IA-32 Architectures Software
# Developer's Manual, volume 4, table 2-1), and whose table is theirs.
CORES = {
    (6, 60): "haswell",
    (6, 63): "haswell",
    (6, 69): "haswell",
    (6, 70): "haswell",
    (6, 78): "skylake",
    (6, 85): "skylake",
    (6, 94): "skylake",
    (6, 142): "skylake",
    (6, 158): "skylake",
    (6, 106): "icelake-server",
    (6, 108): "icelake-server",
    (6, 143): "sapphirerapids",
    (6, 207): "sapphirerapids",
}

_FLAGS = (
    "-std=c11",
    "-fno-pic",
    "-no-pie",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-tree-loop-distribute-patterns",
    "-mno-sse",
    "-falign-functions=16",
)
_SCENARIO = """
title = "Programs that take their time"
arch = "amd64"
cycles = 400_000_000
[[task]]
name = "program"
image = "guest.elf"
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A kernel at a level of optimisation: cycles on the core, None if not to be had."""

    name: str
    core: float | None
    model: int


def this_core() -> str | None:
    """Name the table of this machine's core; None if there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text("ascii", errors="replace")
    except OSError:
        return None
    found = dict(re.findall(r"^(cpu family|model)\s*: (\d+)$", text, re.MULTILINE))
    if len(found) < 2:
        return None
    return CORES.get((int(found["cpu family"]), int(found["model"])))


def measure(timing: Timing) -> list[Program]:
    """Run all programs on both; none if there is no compiler."""
    if shutil.which("gcc") is None:
        return []
    found = []
    names = re.findall(r"^static uint32_t (\w+)\(void\)$", _source(), re.MULTILINE)
    for level in LEVELS:
        with tempfile.TemporaryDirectory() as folder:
            core = _on_core(Path(folder), level)
            model = _in_model(Path(folder), level, timing, len(names))
        for name, (cycles, result), (counted, same) in zip(names, core, model, strict=True):
            assert result == same, f"{name}: {result} and {same}"
            found.append(Program(f"{name} -{level}", cycles, counted))
    return found


def rows(programs: list[Program]) -> list[tuple[str, ...]]:
    """Give the rows of a table, with the mean and the median of the errors at its end."""
    lines: list[tuple[str, ...]] = []
    for each in programs:
        if each.core is None:
            lines.append((each.name, NO_CLOCK, f"{each.model:,}", ""))
        else:
            error = 100 * (each.model / each.core - 1)
            lines.append((each.name, f"{each.core:,.0f}", f"{each.model:,}", f"{error:+.1f} %"))
    for level in (*LEVELS, ""):
        some = [p for p in programs if p.core is not None and p.name.endswith(level)]
        if some:
            model, core = [float(p.model) for p in some], [p.core or 0.0 for p in some]
            off = f"{mean_error(model, core):.1f} %, median {median_error(model, core):.1f} %"
            lines.append((f"mean error {level and '-'}{level}".rstrip(), "", "", off))
    return lines


def _source() -> str:
    return (PROGRAMS / "kernels.c").read_text()


def _compile(folder: Path, level: str, name: str, *options: str) -> Path:
    target = folder / name
    sources = [str(PROGRAMS / "kernels.c"), str(PROGRAMS / f"{target.stem}.c")]
    # Time is taken by code at one level, whatever the kernels are compiled at.
    command = ["gcc", f"-{level}", *_FLAGS, *options, "-o", str(target), *sources]
    subprocess.run(command, check=True, capture_output=True)
    return target


def _on_core(folder: Path, level: str) -> list[tuple[float | None, int]]:
    # Without SSE there are no doubles: its own code is apart.
    objects = folder / "kernels.o"
    base = ["gcc", f"-{level}", "-std=c11"]
    kernels = str(PROGRAMS / "kernels.c")
    subprocess.run(["gcc", f"-{level}", *_FLAGS, "-c", kernels, "-o", str(objects)], check=True)
    host = str(PROGRAMS / "host.c")
    target = str(folder / "host")
    subprocess.run([*base, "-no-pie", host, str(objects), "-o", target], check=True)
    done = subprocess.run([target], check=True, capture_output=True, text=True)
    pairs = [line.split() for line in done.stdout.splitlines()]
    return [(None if cycles == "-" else float(cycles), int(result)) for cycles, result in pairs]


def _in_model(folder: Path, level: str, timing: Timing, count: int) -> list[tuple[int, int]]:
    _compile(
        folder,
        level,
        "guest.elf",
        *("-nostdlib", "-static", "-ffreestanding", "-Wl,--build-id=none"),
        *("-Wl,-z,separate-code,-z,noexecstack,-z,norelro,-z,max-page-size=0x1000",),
    )
    path = folder / "programs.toml"
    path.write_text(_SCENARIO)
    scenario = load_scenario(path)
    images = load_programs(scenario)
    system = boot(scenario, images, timing=timing)
    try:
        run(system.kernel, scenario.cycles)
        tables = []
        for symbol, size in (("cycles", 8), ("results", 4)):
            at = images["program"].symbol(symbol)
            assert at is not None, symbol
            space = system.tasks["program"].number
            data = system.machine.read(space, at.address, size * count)
            tables.append([data[i : i + size] for i in range(0, len(data), size)])
    finally:
        system.close()
    cycles, results = ([int.from_bytes(each, "little") for each in table] for table in tables)
    assert all(cycles), "a program did not end"
    return list(zip(cycles, results, strict=True))
