"""Examination: candidates of a run become findings, by looking at the run again.

Rule 1: what is found follows from the run alone, whoever asked and however often.
Rule 2: at most MOST findings are confirmed unless all are asked for, the first ones first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from emu.timing import Timing
from guest.image import Image
from guest.scenario import Scenario
from kernel.kernel import run
from kernel.state import Kernel
from lab.checker.candidate import Candidate
from lab.checker.finding import Attribution, Effect, Finding, Rule
from lab.checker.judge import Evidence, Judged, judge
from lab.checker.lives import Turn
from lab.checker.stream import common
from lab.names import Names
from lab.replay.confirm import Confirmer
from lab.replay.leftovers import LeftoverTracker
from lab.replay.provenance import Origin, Tracker, TrackingMachine
from lab.replay.symbols import RunSymbols
from lab.replay.system import DEFAULT_TIMING, boot, configure
from lab.replay.uses import Fate, UseTracker

MOST = 10
_AFTER = 200_000  # instructions of all threads in which a value should be used
_TRACKED = 64  # candidates whose addresses are followed

# Rules whose very definition is what was seen: a word that was sent, a store, an access.
_SEEN = (
    Rule.SETUP_CLOBBERED,
    Rule.OUTSIDE_MESSAGE_REGISTERS,
    Rule.FOREIGN_UTCB,
    Rule.REPLY_CAPABILITY_LOST,
)
_BY_ADDRESS = (Rule.STALE_READ, Rule.UNBALANCED_RESTORE, Rule.DANGLING_POINTER)
_TRIED = (
    *_BY_ADDRESS,
    Rule.BEYOND_COUNT,
    Rule.STALE_ERROR_WORD,
    Rule.BUFFER_REGISTERS_CLOBBERED,
)


# Rules that are about a value that somebody reads and then must use.
_USED = (*_BY_ADDRESS, Rule.BEYOND_COUNT, Rule.STALE_ERROR_WORD, Rule.COUNT_MISMATCH)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a second look has shown: by candidate, and the cycles by position."""

    origins: dict[int, Origin]
    leftovers: set[int]  # those whose store put back what was on the stack by chance
    fates: dict[int, Fate]
    cycles: dict[int, int]


class Confirm(Enum):
    """Which findings are confirmed by running again."""

    SOME = "some"
    ALL = "all"
    NONE = "none"


def examine(
    candidates: list[Candidate],
    scenario: Scenario,
    images: dict[str, Image],
    names: Names,
    *,
    budget: int,
    places: tuple[tuple[str, int], ...] = (),
    confirm: Confirm = Confirm.SOME,
    timing: Timing = DEFAULT_TIMING,
) -> tuple[Finding, ...]:
    """Judge the candidates of a run that used up at most `budget` cycles."""
    symbols = RunSymbols(names, scenario.library)
    seen = _look_again(candidates, scenario, images, names, budget, timing)
    symbols.cycles = seen.cycles
    tried = [each for each in candidates if each.rule in _TRIED and not each.is_intact]
    cycles = [each.cycle or symbols.cycle(each.position) for each in tried if not each.is_note]
    confirmer = Confirmer(scenario, images, places, symbols.name, budget, timing, cycles)
    left = {Confirm.SOME: MOST, Confirm.ALL: len(candidates), Confirm.NONE: 0}[confirm]
    judged: list[Judged] = []
    for candidate in candidates:
        if candidate.rule is Rule.HIDDEN_IPC and _is_safe(candidate, scenario, symbols):
            continue
        evidence = _attribute(candidate, seen.origins.get(id(candidate)), names)
        _consider_use(candidate, evidence, seen.fates.get(id(candidate)))
        if candidate.restore is not None and id(candidate) not in seen.leftovers:
            evidence.is_exempt = True  # it meant to store what it did
        judged.append(Judged(candidate, evidence))
        if evidence.is_exempt or candidate.is_note:
            continue
        if candidate.rule in _SEEN and not candidate.is_intact:
            evidence.effect = Effect.OBSERVABLE
        elif candidate.rule in _TRIED and not candidate.is_intact:
            if left:
                left -= 1
                cycle = candidate.cycle or symbols.cycle(candidate.position)
                _try(candidate, evidence, confirmer, cycle)
            elif candidate.is_bulk or candidate.rule is Rule.BEYOND_COUNT:
                evidence.is_exempt = True  # a load alone says nothing
    return judge(judged, symbols, names.arch)


def _is_safe(candidate: Candidate, scenario: Scenario, symbols: RunSymbols) -> bool:
    """Whether the scenario says of a function on the way that it does no harm."""
    stack = symbols.stack(candidate.thread, candidate.where, behind=candidate.is_call)
    names = [frame.function.rpartition("::")[2] for frame in stack]
    return any(
        fnmatchcase(name, glob) for name in names for glob in scenario.functions.ipc_safe
    )


def _try(candidate: Candidate, evidence: Evidence, confirmer: Confirmer, cycle: int) -> None:
    tried = confirmer.confirm(candidate, cycle)
    evidence.effect = tried.effect
    evidence.consequences = tried.consequences
    evidence.checks += tried.checks
    if candidate.is_bulk and tried.effect is not Effect.OBSERVABLE:
        evidence.is_exempt = True  # it was copied, and the copy not used


def _attribute(candidate: Candidate, origin: Origin | None, names: Names) -> Evidence:
    """Say how sure it is which message was meant, and whether it is a misuse at all."""
    evidence = Evidence()
    if candidate.rule in (Rule.LEAKED_WORD, Rule.COUNT_MISMATCH):
        evidence.attribution = Attribution.INFERRED
    if candidate.rule is Rule.SETUP_CLOBBERED and candidate.is_open:
        evidence.attribution = Attribution.INFERRED
    if candidate.rule not in _BY_ADDRESS or candidate.restore is not None:
        return evidence
    if origin is None or not origin.is_known:
        evidence.attribution = Attribution.INFERRED
        evidence.is_exempt = candidate.rule is Rule.DANGLING_POINTER or candidate.is_open
        evidence.checks = (("address", "not known: too long before"),)
        return evidence
    if origin.is_borrowed or (candidate.is_delivery and _may_be_lent(candidate, names)):
        evidence.is_exempt = True
        return evidence
    if candidate.rule is Rule.DANGLING_POINTER:
        evidence.is_exempt = not origin.is_lent
        evidence.checks = (("address", "made by the function that got the older message"),)
        if evidence.is_exempt and origin.may_be_lent and _alone_lends(candidate, names):
            evidence.is_exempt = False
            evidence.attribution = Attribution.INFERRED
            evidence.checks = (("address", "given by an inlined function; no other gives one"),)
        return evidence
    if (
        origin.is_lent
        and candidate.lender is not None
        and candidate.lender is not candidate.message
    ):
        _lend(candidate)
        evidence.checks = (("address", "made by the function that got the older message"),)
        return evidence
    evidence.checks = (("address", "not made by the call in between"),)
    if candidate.is_open:
        evidence.attribution = Attribution.INFERRED
        evidence.is_exempt = origin.is_prepared or origin.is_consumed
    elif origin.is_consumed:
        # The reader knows of the call: it may mean what that brought.
        evidence.attribution = Attribution.INFERRED
        evidence.is_exempt = candidate.was_read
    return evidence


def _may_be_lent(candidate: Candidate, names: Names) -> bool:
    """Whether the call in between is in an inlined function that can give a pointer.

    Of that no instruction is left to see.
    """
    return _inlined_lends(candidate.clobber, candidate, names) is True


def _alone_lends(candidate: Candidate, names: Names) -> bool:
    """Whether an inlined function with the older message can give a pointer; no later one."""
    lender = _inlined_lends(candidate.lender, candidate, names)
    return lender is True and _inlined_lends(candidate.clobber, candidate, names) is False


def _inlined_lends(turn: Turn | None, candidate: Candidate, names: Names) -> bool | None:
    """Say if a turn's inlined function can give a pointer; None: it is in none of its own."""
    reader = candidate.where
    image = names.images.get(candidate.thread)
    if turn is None or image is None or turn.depth != reader.depth:
        return None
    chain = turn.chain
    if len(chain) == len(common(chain, reader.leaf)) or chain[-1] >= len(image.scopes):
        return None
    return image.scopes[chain[-1]].lends


def _consider_use(candidate: Candidate, evidence: Evidence, fate: Fate | None) -> None:
    """Take note of what became of the value."""
    if fate is None or candidate.is_note:
        return
    if fate is Fate.COPIED:
        evidence.is_exempt = True  # it was saved, and perhaps put back
    elif fate is Fate.UNKNOWN and candidate.is_intact:
        evidence.is_exempt = candidate.is_bulk
    evidence.checks += (("use", fate.value),)


def _lend(candidate: Candidate) -> None:
    lender = candidate.lender
    assert lender is not None, "somebody has lent it"
    candidate.rule = Rule.DANGLING_POINTER
    candidate.message = lender
    low, high = candidate.offset, candidate.offset + candidate.size
    if high <= lender.delivered:
        candidate.expected = lender.payload[low:high]


def _look_again(
    candidates: list[Candidate],
    scenario: Scenario,
    images: dict[str, Image],
    names: Names,
    budget: int,
    timing: Timing,
) -> _Seen:
    """Run again, and see where addresses come from and what becomes of what was read."""
    followed = [
        each
        for each in candidates
        if each.rule in _BY_ADDRESS and each.clobber is not None and not each.is_note
        if each.restore is None
    ][:_TRACKED]
    marks = {each.position for each in candidates if not each.is_call}
    marks |= {each.reader[1] for each in candidates if each.reader is not None}
    marks |= {store.position for each in candidates for store in each.stores}
    if not marks:
        return _Seen({}, set(), {}, {})
    machine = TrackingMachine(configure(scenario, timing=timing))
    system = boot(scenario, images, machine=machine)
    trackers = [Tracker(each, scenario.arch.word == 8) for each in followed]
    uses = {
        id(each): _use_tracker(each, system.kernel)
        for each in candidates
        if each.rule in _USED and not each.is_note
    }
    leftovers = {
        id(each): _leftover_tracker(each, system.kernel)
        for each in [each for each in candidates if each.restore is not None][:_TRACKED]
    }
    machine.follow(trackers, list(uses.values()), marks, names.images)
    machine.leftovers = list(leftovers.values())
    if any(task.trampolines for task in system.tasks.values()):
        threads = system.kernel.threads

        def is_interrupted(number: int) -> bool:
            thread = threads[number]
            return bool(thread.trampoline) and not thread.armed

        machine.is_interrupted = is_interrupted
    try:
        last = max(marks) + _AFTER
        _run_to(machine, lambda until: run(system.kernel, until), last, budget)
    finally:
        system.close()
    return _Seen(
        {id(each.candidate): each.origin for each in trackers},
        {key for key, each in leftovers.items() if each.is_leftover},
        {key: each.result() for key, each in uses.items()},
        machine.cycles,
    )


def _use_tracker(candidate: Candidate, kernel: Kernel) -> UseTracker:
    thread, position = candidate.thread, candidate.position
    if candidate.reader is not None:
        thread, position = candidate.reader
    utcb = _utcb(thread, kernel)
    return UseTracker(thread, position, utcb, candidate.offset, candidate.size)


def _leftover_tracker(candidate: Candidate, kernel: Kernel) -> LeftoverTracker:
    store, message = candidate.restore, candidate.message
    assert store is not None, "there is a store that put something back"
    assert message is not None, "over a word of a message"
    address = _utcb(candidate.thread, kernel).start + candidate.offset
    return LeftoverTracker(candidate.thread, message.position, store.position, address)


def _utcb(thread: int, kernel: Kernel) -> range:
    known = kernel.threads.get(thread)
    start = known.utcb_address if known is not None and known.is_bound() else 0
    return range(start, start + kernel.arch.utcb_size)


def _run_to(
    machine: TrackingMachine, go: Callable[[int], object], position: int, budget: int
) -> None:
    # In slices: most is over long before the budget is.
    until = 0
    step = 1 << 14
    while until < budget and machine.instructions <= position:
        until = min(until + step, budget)
        step *= 2
        go(until)
        if machine.now < until:
            return
