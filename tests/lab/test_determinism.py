"""One scenario, one trace: again, observed, sliced, stepped, and frozen on the way."""

import base64
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from emu.context import Context
from emu.machine import Machine
from emu.timing import Timing, parse_timing
from emu.traps import STEPPED
from guest.scenario import load_scenario
from kernel.events import Event
from kernel.freeze import freeze
from kernel.kernel import end, run
from lab.recorder import RunRecorder
from lab.replay.system import boot, configure, identify, load_programs
from lab.run import run_scenario

# Every kind of behaviour; the others differ from these by compiler or by speed only.
NAMES = [
    "faq_nested_call",
    "faq_read_first",
    "faq_saved_utcb",
    "hidden_ipc",
    "ipc_errors",
    "latent",
    "log_in_reply",
    "pingpong_intra",
    "send_only",
    "console_echo",
    "debugger_names",
    "debugger_remarks",
    "irq_server",
    "kip_clock",
    "semaphore_lock",
    "thread_local",
    "local_segments",
    "faq_nested_call-c-O2",
    "faq_nested_call-cxx-O0",
]
ARCHES = ["amd64", "ia32"]


class SteppedMachine(Machine):
    """Executes every single instruction on its own."""

    __slots__ = ()

    def run(self, context: Context, deadline: int) -> int:
        while True:
            trap = self.step(context, deadline)
            if trap != STEPPED:
                return trap


@pytest.mark.parametrize("cpu", ["flat", "skylake fast", "haswell full+front-end"])
@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_stepped_throughout_has_the_same_trace(
    name: str, arch: str, cpu: str
) -> None:
    scenario = load_scenario(name, arch=arch)
    images = load_programs(scenario)
    recorder = RunRecorder(identify(scenario, images, timing=parse_timing(cpu) or Timing(cpu)))
    machine = SteppedMachine(configure(scenario, timing=parse_timing(cpu) or Timing(cpu)))
    system = boot(scenario, images, recorder=recorder, machine=machine)
    end(system.kernel, run(system.kernel, scenario.cycles))
    position = system.machine.instructions
    system.close()

    whole = run_scenario(name, arch=arch, timing=parse_timing(cpu) or Timing(cpu))
    assert (recorder.trace_hash(), position) == (whole.trace_hash, whole.instructions)


@pytest.mark.parametrize("arch", ARCHES)
def test_ten_runs_have_one_trace(arch: str) -> None:
    hashes = {run_scenario("faq_nested_call", arch=arch).trace_hash for _ in range(10)}
    assert len(hashes) == 1


@pytest.mark.parametrize("arch", ARCHES)
def test_being_watched_changes_nothing(arch: str) -> None:
    seen: list[Event] = []
    watched = run_scenario(
        "hidden_ipc", arch=arch, listener=lambda names, event: seen.append(event)
    )
    assert seen
    assert watched.trace_hash == run_scenario("hidden_ipc", arch=arch).trace_hash


@dataclass(eq=False, slots=True)
class _Thawed:
    """Runs the rest of a frozen run in a fresh process."""

    name: str
    arch: str
    cpu: str
    machine: bytes
    kernel: bytes
    events: list[str] = field(default_factory=list)

    def finish(self) -> list[str]:
        request = {
            "name": self.name,
            "arch": self.arch,
            "cpu": self.cpu,
            "machine": base64.b64encode(self.machine).decode(),
            "kernel": base64.b64encode(self.kernel).decode(),
        }
        child = Path(__file__).with_name("thaw_child.py")
        done = subprocess.run(
            [sys.executable, str(child)],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
        )
        assert done.returncode == 0, done.stderr
        rest: list[str] = json.loads(done.stdout)
        return rest


@pytest.mark.parametrize("cpu", ["flat", "haswell full+front-end"])
@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize(
    "name",
    [
        "faq_nested_call",
        "ipc_errors",
        "irq_server",
        "kip_clock",
        "semaphore_lock",
        "thread_local",
        "local_segments",
        "debugger_remarks",
        "faq_read_first-cxx-O0",
    ],
)
def test_a_run_frozen_at_a_random_cycle_goes_on_in_a_fresh_process(
    name: str, arch: str, cpu: str
) -> None:
    whole: list[str] = []
    total = run_scenario(
        name,
        arch=arch,
        timing=parse_timing(cpu) or Timing(cpu),
        listener=lambda names, event: whole.append(repr(event)),
    ).cycles
    cycle = Random(f"{name} {arch}").randrange(total)

    scenario = load_scenario(name, arch=arch)
    images = load_programs(scenario)
    first: list[str] = []
    recorder = RunRecorder(
        identify(scenario, images, timing=parse_timing(cpu) or Timing(cpu)),
        listener=lambda event: first.append(repr(event)),
    )
    system = boot(scenario, images, recorder=recorder, timing=parse_timing(cpu) or Timing(cpu))
    run(system.kernel, cycle)
    thawed = _Thawed(name, arch, cpu, system.machine.freeze(), freeze(system.kernel))
    system.close()

    assert first + thawed.finish() == whole
