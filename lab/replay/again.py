"""Running a trace's run again, from the trace alone, and holding it against what it says."""

from collections.abc import Callable
from dataclasses import dataclass, field

from kernel.kernel import end, run
from lab.recorder import RunRecorder
from lab.replay.recorded import recorded_run
from lab.replay.system import System
from lab.replay.varied import boot_varied
from lab.trace.opening import damaged
from lab.trace.reader import Trace
from lab.trace.records import event_at, size_at, starts_of
from lab.trace.repetition import Difference, Repetition

_STEPS = 100  # times that progress is reported


def repeat(trace: Trace, *, progress: Callable[[int, int], None] | None = None) -> Repetition:
    """Run a trace's run again, as far as it is stored, and find the first difference.

    Raises GuestError if the trace is damaged, or what is in it cannot be run.
    """
    recorded = recorded_run(trace)
    ours = recorded.identity()
    comparison = _Comparison(trace, is_same_run=ours == trace.head.identity())
    recorder = RunRecorder(ours)
    recorder.sink = comparison
    system = boot_varied(
        recorded.scenario,
        recorded.images,
        recorded.variation,
        recorder=recorder,
        timing=recorded.timing,
    )
    try:
        _run(system, recorder, comparison, progress)
    finally:
        system.close()
    return Repetition(
        comparison.events,
        comparison.chunks,
        comparison.difference,
        ours.model if ours.model != trace.head.model else None,
        comparison.digest,
    )


def _run(
    system: System,
    recorder: RunRecorder,
    comparison: "_Comparison",
    progress: Callable[[int, int], None] | None,
) -> None:
    # In slices: the run is the same, and may be left as soon as all is known.
    budget = comparison.trace.head.budget
    step = max(budget // _STEPS, 1)
    until = 0
    while until < budget and not comparison.is_over:
        until = min(until + step, budget)
        outcome = run(system.kernel, until)
        if system.machine.now < until:
            break
        if progress is not None:
            progress(until, budget)
    if not comparison.is_over:
        end(system.kernel, outcome)
        recorder.flush()
        comparison.finish()


@dataclass(eq=False, slots=True)
class _Comparison:
    """A sink that compares instead of storing."""

    trace: Trace
    is_same_run: bool  # so that its hashes can be compared
    chunks: int = 0
    events: int = 0
    difference: Difference | None = None
    digest: str = ""
    _pieces: list[bytes] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to compare."""
        if self.difference is not None:
            return True
        is_partial = self.trace.ending is None or self.trace.truncated is not None
        return is_partial and self.chunks == len(self.trace.chunks)

    def take(self, data: bytes) -> None:
        """Take records: see `Sink`."""
        if not self.is_over:
            self._pieces.append(data)

    def close(
        self, records: int, kinds: int, objects: int, cycle: int, position: int, digest: str
    ) -> None:
        """Compare a chunk: see `Sink`."""
        if self.is_over:
            return
        data = b"".join(self._pieces)
        self._pieces.clear()
        if self.chunks == len(self.trace.chunks):
            self._compare(b"", data)
        else:
            chunk = self.trace.chunks[self.chunks]
            if not (self.is_same_run and digest == chunk.digest):
                self._compare(self.trace.records(chunk), data)
        if self.difference is None:
            self.chunks += 1
            self.events += records
            self.digest = digest

    def finish(self) -> None:
        """Learn that the run is over: what is recorded further did not happen."""
        if not self.is_over and self.chunks < len(self.trace.chunks):
            self._compare(self.trace.records(self.trace.chunks[self.chunks]), b"")

    def _compare(self, recorded: bytes, repeated: bytes) -> None:
        if recorded == repeated:
            if self.is_same_run:
                what = f"chunk {self.chunks}: its hash is not that of its events"
                raise damaged(self.trace.path, what)
            return
        old, new = (memoryview(data).cast("Q").tolist() for data in (recorded, repeated))
        starts = starts_of(new)
        # Equal records begin at equal words.
        equal = 0
        for at in starts:
            size = size_at(new, at)
            if old[at : at + size] != new[at : at + size]:
                break
            equal += 1
        sequence = self.events + equal
        self.events = sequence
        word = self.trace.head.arch.word
        self.difference = Difference(
            sequence,
            self.trace.event(sequence) if sequence < len(self.trace) else None,
            event_at(new, starts[equal], word) if equal < len(starts) else None,
        )
