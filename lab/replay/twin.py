"""The twin of a recorded run: the same again, but for one finding that is undone in it.

Rule: it begins as the run did, and is the same up to the access at fault.
"""

from guest.errors import GuestError
from kernel.kernel import end, run
from kernel.variation import OverrideRead, StoreBytes, Variation, changes
from lab.checker.finding import Rule
from lab.query import find_thread
from lab.recorder import RunRecorder
from lab.replay.recorded import recorded_run
from lab.replay.system import CPU_KHZ
from lab.replay.varied import boot_varied
from lab.trace.found import find_finding
from lab.trace.head import Ending, describe_run
from lab.trace.reader import Trace
from lab.trace.writer import TraceWriter

# The access at fault of these is the system call that sends what was overwritten.
_SENT = (Rule.SETUP_CLOBBERED.value, Rule.LEAKED_WORD.value)


def undo(trace: Trace, finding: str) -> tuple[Variation, ...]:
    """Give the changes that undo a finding, such as F1; the first that shows counts.

    GuestError if the trace has no such finding, or it cannot be undone.
    """
    body = find_finding(trace, finding)
    expected, position = body.get("expected"), body.get("position")
    offset, size = body.get("offset"), body.get("size")
    if not isinstance(expected, str):
        raise GuestError(
            f"{finding} cannot be undone: nothing else was meant to be there",
            file=str(trace.path),
        )
    try:
        thread = find_thread(trace, str(body.get("thread")), option=finding)
        if (
            type(position) is not int
            or type(offset) is not int
            or type(size) is not int
            or not 0 <= offset < offset + size <= trace.head.arch.utcb_size
            or position < 0
        ):
            raise ValueError("no such place")
        data = int(expected, 16).to_bytes(size, "little")
    except (ValueError, OverflowError) as error:
        text = f"this trace is damaged: finding {finding}: {error}"
        raise GuestError(text, file=str(trace.path)) from None
    if body.get("rule") in _SENT:
        return ((StoreBytes(max(position - 1, 0), thread, offset, data),),)
    # For this read alone; or as if the call in between had put the word back.
    return (
        (OverrideRead(position, thread, offset, data),),
        (StoreBytes(position, thread, offset, data),),
    )


def record_twin(trace: Trace, variation: Variation, writer: TraceWriter) -> None:
    """Run what a trace is of with changes, from the trace alone, and record that.

    It gets as many cycles as the run had.
    """
    recorded = recorded_run(trace)
    scenario, images, had = recorded.scenario, recorded.images, recorded.variation
    changed = sorted((*changes(had), *changes(variation)), key=lambda each: each.position)
    variation = (*changed, *(each for each in had if each not in changed))
    recorder = RunRecorder(recorded.identity(variation))
    system = boot_varied(scenario, images, variation, recorder=recorder, timing=recorded.timing)
    recorder.names = system.names
    machine = system.machine
    try:
        head = describe_run(
            scenario,
            images,
            system.names,
            recorder.identity,
            budget=trace.head.budget,
            cpu_khz=CPU_KHZ,
            versions=trace.head.versions,
        )
        writer.begin(head)
        recorder.sink = writer
        outcome = run(system.kernel, trace.head.budget)
        end(system.kernel, outcome)
        recorder.flush()
        ending = Ending(
            outcome=outcome.name.lower(),
            engine=machine.engine,
            events=writer.events,
            cycles=machine.now,
            instructions=machine.instructions,
            messages=recorder.messages,
            invocations=recorder.invocations,
            trace_hash=recorder.trace_hash(),
        )
    finally:
        system.close()
    writer.finish(ending)
