"""What is measured in a fresh process: imports, the first boot, memory."""

import json
import subprocess
import sys
from dataclasses import dataclass

from bench.memory import THREADS

# Times are of the CPU, as everywhere here.
_START = """
import time
begin = time.process_time()
import lab.cli
imported = time.process_time()
from guest.scenario import load_scenario
from lab.replay.system import boot, load_programs
begin_boot = time.process_time()
scenario = load_scenario({scenario!r})
boot(scenario, load_programs(scenario))
booted = time.process_time()
import json
print(json.dumps([imported - begin, booted - begin_boot]))
"""


@dataclass(frozen=True, slots=True)
class Start:
    """How long the start of a command takes, in milliseconds."""

    import_ms: float  # of the command line
    boot_ms: float  # of a scenario, the first one of this process


@dataclass(frozen=True, slots=True)
class ThreadMemory:
    """What 100 threads in 50 tasks take, in megabytes."""

    thread_mb: float  # each of them
    resident_mb: float  # the whole process


def start(scenario: str) -> Start:
    """Measure the start of a process that imports the command line and boots `scenario`."""
    done = _run(_START.format(scenario=scenario))
    done.check_returncode()
    imported, booted = json.loads(done.stdout)
    return Start(imported * 1000, booted * 1000)


def thread_memory() -> ThreadMemory | None:
    """Measure memory.

    None where the system does not tell how much a process has, or does not give enough;
    `python -m bench.memory` shows which.
    """
    done = _run("from bench.memory import main; main()")
    if done.returncode:
        return None
    value = json.loads(done.stdout)
    return ThreadMemory(value["grown"] / THREADS, value["resident"])


def _run(code: str) -> subprocess.CompletedProcess[str]:
    # With this process's own paths: what runs here is what is measured.
    code = f"import sys; sys.path[:] = {sys.path!r}\n{code}"
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
