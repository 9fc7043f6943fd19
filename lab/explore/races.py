"""Races: which choices of a run can matter, and so which runs come next.

Two steps of different threads are *dependent* if they use one kernel object, or one of them
writes shared memory that the other accesses.  A step is reversed with a later one by ending
the time slice before it; that can matter only if they are dependent, nothing in between
orders them, and somebody who could have run there leads to the later one.  This is dynamic
partial-order reduction (Flanagan and Godefroid, POPL 2005), with the conservative points that
a bound on preemptions needs (Coons, Musuvathi and McKinley, OOPSLA 2013): where a thread's
turn began, its slice may end, too.  One CPU with priorities cannot end a slice everywhere:
where it cannot, the last place before it counts.
"""

from collections.abc import Sequence

from kernel.kernel import OVERRULE, PREEMPT, SLICE
from kernel.variation import Choose
from lab.replay.stage import EVERYTHING, Asked, Ran, Step

Sequence_ = tuple[Choose, ...]  # the choices of a run that are not 0, in their order


def requests(ran: Ran, *, prunes: bool, steps: Sequence[Step] | None = None) -> list[Sequence_]:
    """Give the runs that differ from this one in one choice, and the default after it.

    With `prunes` not those that can only do the same; `steps` are the run's, if another run
    with the same choices knows more of them.
    """
    asked = ran.asked
    if prunes:
        wanted = _racing(asked, ran.steps if steps is None else steps)
    else:
        wanted = frozenset(range(len(asked)))
    found: list[Sequence_] = []
    before: list[Choose] = []
    for number, each in enumerate(asked):
        if number in wanted or each.point not in (PREEMPT, SLICE, OVERRULE):
            for option in range(each.options):
                if option != each.option:
                    # The usual option is another run only if this one chose differently.
                    other = [_choose(each, option)] if option else []
                    found.append((*before, *other))
        if each.option:
            before.append(_choose(each, each.option))
    return found


def _choose(asked: Asked, option: int) -> Choose:
    return Choose(asked.subject, asked.point, asked.ordinal, option)


def _racing(asked: Sequence[Asked], steps: Sequence[Step]) -> frozenset[int]:
    """Give the indices of the choices to make otherwise."""
    found: set[int] = set()
    before: list[int] = []  # of each step: those that happen before it, as a set of bits
    own: dict[int, int] = {}  # the last step of each thread
    begun = 0  # the step where the turn of its thread began
    turns: list[int] = []  # that step, for each
    for number, step in enumerate(steps):
        if number and steps[number - 1].thread != step.thread:
            begun = number
        turns.append(begun)
        last = own.get(step.thread, -1)
        past = before[last] | 1 << last if last >= 0 else 0
        for earlier in range(number - 1, -1, -1):
            other = steps[earlier]
            if other.thread == step.thread or past >> earlier & 1:
                continue
            if not _are_dependent(other, step):
                continue
            past |= before[earlier] | 1 << earlier
            for place in {earlier, turns[earlier]}:
                choice = _latest(asked, steps, place, number, past)
                if choice >= 0:
                    found.add(choice)
        before.append(past)
        own[step.thread] = number
    return frozenset(found)


def _latest(
    asked: Sequence[Asked], steps: Sequence[Step], place: int, number: int, past: int
) -> int:
    """Give the last choice up to a step that can let a later step come before it; or -1.

    It need not be one of the step's own thread: a server that nobody can interrupt works for
    a client whose time slice could have ended before it called.
    """
    for at in range(place, -1, -1):
        choice = steps[at].choice
        if choice >= 0 and _leads(
            asked[choice].ready, steps, at, number, past, steps[number].thread
        ):
            return choice
    return -1


def _leads(
    ready: tuple[int, ...],
    steps: Sequence[Step],
    begin: int,
    end: int,
    past: int,
    thread: int,
) -> bool:
    # Could one of those who were ready have brought the later step about?
    if thread in ready:
        return True
    return any(
        steps[between].thread in ready and past >> between & 1
        for between in range(begin + 1, end)
    )


def _are_dependent(one: Step, other: Step) -> bool:
    if not one.objects.isdisjoint(other.objects):
        return True
    if EVERYTHING in one.objects or EVERYTHING in other.objects:
        return True
    a, b = one.touched, other.touched
    if a is None or b is None:
        return False
    return not (
        a.writes.isdisjoint(b.writes)
        and a.writes.isdisjoint(b.reads)
        and a.reads.isdisjoint(b.writes)
    )


def shared_places(steps: Sequence[Step]) -> frozenset[tuple[int, int]]:
    """Give the blocks, as task and address, that touch what several threads touch."""
    users: dict[int, set[int]] = {}
    written: set[int] = set()
    for step in steps:
        if step.touched is not None:
            written |= step.touched.writes
            for word in step.touched.reads | step.touched.writes:
                users.setdefault(word, set()).add(step.thread)
    shared = {word for word, threads in users.items() if len(threads) > 1} & written
    return frozenset(
        step.touched.block
        for step in steps
        if step.touched is not None
        and not shared.isdisjoint(step.touched.reads | step.touched.writes)
    )
