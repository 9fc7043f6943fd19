"""The lives of a run's messages, told one by one when they are over.

Rule: memory is bounded by the messages that are alive, not by those there were.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from kernel.abi import TAG_WORDS
from kernel.utcb import MR_COUNT
from lab.checker.finding import Frame
from lab.checker.judge import frame_at
from lab.checker.lives import Turn
from lab.checker.stream import Where
from lab.trace.lives import Life, Way

_AT_ONCE = 512  # turns that are looked through together
_NAMED = 4096  # owners whose names are kept


class Stacks(Protocol):
    """Knows what the calls that led to a place are called."""

    def stack(self, thread: int, where: Where, *, behind: bool) -> tuple[Frame, ...]:
        """Give the frames at a place, the innermost first; `behind`: it is behind a call."""


class LifeLog:
    """Follows turns, and tells `tell` of the messages of those that are dead.

    The order is that of the looks, and in each of them that of the births of turns: the
    same in every run.
    """

    __slots__ = ("_limit", "_names", "_stacks", "_tell", "_turns")

    def __init__(self, stacks: Stacks, tell: Callable[[Life], None]) -> None:
        self._stacks = stacks
        self._tell = tell
        self._turns: list[Turn] = []
        self._limit = _AT_ONCE
        self._names: dict[tuple[object, ...], str] = {}

    def follow(self, turn: Turn) -> None:
        """Take note of a turn that has begun."""
        self._turns.append(turn)
        if len(self._turns) >= self._limit:
            alive = []
            for each in self._turns:
                if each.is_alive:
                    alive.append(each)
                else:
                    self._tell_of(each)
            self._turns = alive
            self._limit = 2 * len(alive) + _AT_ONCE

    def close(self) -> None:
        """Tell of the messages that are still alive, too: the run is over."""
        for turn in self._turns:
            self._tell_of(turn)
        self._turns = []

    def _tell_of(self, turn: Turn) -> None:
        if turn.outgoing or turn.received:
            owner = self._owner(turn)
            for life in _lives(turn, owner):
                self._tell(life)

    def _owner(self, turn: Turn) -> str:
        where = turn.call.where
        depth, inlined = min(turn.depth, where.depth), len(turn.chain)
        key = turn.thread, where.pc, where.calls, depth, inlined
        found = self._names.get(key)
        if found is None:
            if len(self._names) >= _NAMED:
                self._names.clear()
            stack = self._stacks.stack(turn.thread, where, behind=True)
            found = self._names[key] = frame_at(stack, where, depth, inlined).function
        return found


def _lives(turn: Turn, owner: str) -> Iterator[Life]:
    call = turn.call
    depth = min(turn.depth, call.where.depth)
    if turn.outgoing:
        born = turn.stores[0].position if turn.stores else call.position
        yield Life(
            message=turn.outgoing,
            thread=turn.thread,
            partner=turn.receiver,
            way=Way.OUT,
            born=min(born, call.position),
            cycle=call.cycle,
            died=_end(turn.position if turn.received else turn.died, call.position),
            words=min(turn.words, MR_COUNT),
            depth=depth,
            owner=owner,
        )
    if turn.received:
        yield Life(
            message=turn.incoming,
            thread=turn.thread,
            partner=turn.sender,
            way=Way.IN,
            born=turn.position,
            cycle=turn.cycle,
            died=_end(turn.died, turn.position),
            words=min(turn.tag & TAG_WORDS, MR_COUNT),
            depth=depth,
            owner=owner,
        )


def _end(died: int | None, born: int) -> int | None:
    # A thread that was made to do something else may have left before its answer came.
    return None if died is None else max(died, born)
