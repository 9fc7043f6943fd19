"""What threads take of the host's memory; to be run in a process of its own.

Threads take most of it when they first run, and share what their machine has, so it is
the growth of a whole process that counts.
"""

import json
import os
import tempfile
from pathlib import Path

from guest.scenario import load_scenario
from kernel.events import Outcome
from kernel.kernel import run
from lab.replay.system import boot, load_programs

TASKS = 50  # of two threads each, which call each other
THREADS = 2 * TASKS
_MEGABYTE = 1e6
_BUDGET = 1 << 40
_TASK = """
[[task]]
name  = "task-{number}"
image = "{{arch}}/pingpong_intra.s"
[task.caps]
0x20  = "gate:gate-{number}"
[[task.thread]]
name  = "server"
entry = "server"

[[gate]]
name   = "gate-{number}"
thread = "task-{number}.server"
label  = 0x0b0b_0010
"""


def main() -> None:
    """Print the growth of this process by the scenario, and its size then, as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "threads.toml")
        tasks = "".join(_TASK.format(number=number) for number in range(TASKS))
        path.write_text(f'title = "{THREADS} threads"\narch = "amd64"\n{tasks}')
        scenario = load_scenario(path)
        images = load_programs(scenario)
        before = _resident()
        system = boot(scenario, images)
        outcome = run(system.kernel, _BUDGET)
        after = _resident()
        assert outcome is Outcome.IDLE, "every thread has run, and waits"
        system.close()
    print(json.dumps({"grown": after - before, "resident": after}))


def _resident() -> float:
    # proc(5): the second number is the resident set, in pages.
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE


if __name__ == "__main__":
    main()
