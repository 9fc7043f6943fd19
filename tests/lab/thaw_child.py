"""A fresh process that thaws a run, finishes it, and prints its further events."""

import base64
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from emu.machine import Machine
from emu.timing import Timing, parse_timing
from guest.scenario import load_scenario
from kernel.freeze import thaw
from kernel.kernel import end, run
from lab.recorder import RunRecorder
from lab.replay.system import configure, identify, load_programs

request = json.load(sys.stdin)
scenario = load_scenario(request["name"], arch=request["arch"])
cpu = request["cpu"]
events: list[str] = []
recorder = RunRecorder(
    identify(scenario, load_programs(scenario), timing=parse_timing(cpu) or Timing(cpu)),
    listener=lambda event: events.append(repr(event)),
)
machine = Machine.thaw(
    configure(scenario, timing=parse_timing(cpu) or Timing(cpu)),
    base64.b64decode(request["machine"]),
)
kernel = thaw(base64.b64decode(request["kernel"]), machine, recorder=recorder)
end(kernel, run(kernel, scenario.cycles))
print(json.dumps(events))
