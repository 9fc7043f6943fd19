"""A recorded run as a timeline: run again from the trace alone, and held against it."""

from guest.errors import GuestError
from lab.replay.recorded import recorded_run
from lab.replay.timeline import Timeline
from lab.trace.reader import Trace


def timeline_of(trace: Trace) -> Timeline:
    """Give the run of a trace to move in; nothing is read but the trace.

    Raises GuestError if what is in it cannot be run.
    """
    recorded = recorded_run(trace)
    if recorded.variation:
        raise GuestError("the run of this trace was changed on purpose", file=str(trace.path))
    return Timeline(
        recorded.scenario, recorded.images, cycles=trace.head.budget, timing=recorded.timing
    )


def find_mismatch(timeline: Timeline, trace: Trace) -> int | None:
    """Give the first event that went otherwise than it is recorded; None if none did.

    As far as the timeline has come, chunk by chunk.
    """
    known = len(timeline.log)
    for chunk in trace.chunks:
        end = min(chunk.end, known)
        if chunk.first >= end:
            break
        recorded = trace.records(chunk)
        repeated = timeline.log.records(chunk.first, end)
        if recorded[: len(repeated)] != repeated:
            events = (trace.event(number) for number in range(chunk.first, end))
            for number, event in enumerate(events, chunk.first):
                if event != timeline.log.event(number):
                    return number
    return len(trace) if _goes_on(timeline, trace) else None


def _goes_on(timeline: Timeline, trace: Trace) -> bool:
    # The recorded run was over before.
    return (
        trace.ending is not None and trace.truncated is None and len(timeline.log) > len(trace)
    )
