"""Where units run: in this process, in others of this machine, or on a cluster.

Rule 1: whoever asks gets results in the order in which units were given, each as soon as it
and all before it are there; so nothing depends on how many workers there are.
Rule 2: a worker that dies takes nothing along but its unit, which is given to another one, at
most RETRIES times.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Protocol, TypeVar

from guest.errors import GuestError

RETRIES = 3

W = TypeVar("W")
R = TypeVar("R")
Arrived = Callable[
    [int, R], None
]  # the number of a unit, and its result, as soon as it is there


class Pool(Protocol):
    """Runs units of one job."""

    @property
    def workers(self) -> int:
        """How many units run at a time, about."""

    def map(
        self, function: Callable[[W], R], units: Sequence[W], arrived: Arrived[R]
    ) -> Iterator[R]:
        """Run a function over units, and give results in their order.

        `arrived` is told of each as soon as it is there.
        """

    def close(self) -> None:
        """Let the workers go."""


class Alone:
    """This process."""

    workers = 1

    def map(
        self, function: Callable[[W], R], units: Sequence[W], arrived: Arrived[R]
    ) -> Iterator[R]:
        """Run a function over units, one after the other."""
        for number, unit in enumerate(units):
            result = function(unit)
            arrived(number, result)
            yield result

    def close(self) -> None:
        """Nobody is to go."""


class Processes:
    """Other processes of this machine."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._executor = self._start()

    def map(
        self, function: Callable[[W], R], units: Sequence[W], arrived: Arrived[R]
    ) -> Iterator[R]:
        """Run a function over units, as many at a time as there are workers."""
        done: dict[int, R] = {}
        lost = [0] * len(units)
        following = 0
        while following < len(units):
            waiting = [n for n in range(following, len(units)) if n not in done]
            futures: dict[int, Future[R]] = {
                number: self._executor.submit(function, units[number]) for number in waiting
            }
            try:
                for number in waiting:
                    result = futures[number].result()
                    arrived(number, result)
                    done[number] = result
                    while following in done:
                        yield done.pop(following)
                        following += 1
            except BrokenProcessPool:
                # Everything that was under way is lost, and one of it is to blame.
                for number in waiting:
                    future = futures[number]
                    if number < following or number in done:
                        continue
                    if future.done() and future.exception() is None:
                        done[number] = future.result()
                        arrived(number, done[number])
                    elif number < following + len(done) + self.workers:
                        lost[number] += 1
                        check_lost(lost[number], units[number])
                self._executor.shutdown(wait=False)
                self._executor = self._start()
            finally:
                for future in futures.values():
                    future.cancel()

    def close(self) -> None:
        """Let the workers go."""
        self._executor.shutdown(cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        # Spawned: the instances of an emulator do not survive a fork.
        return ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"))


def check_lost(times: int, unit: object) -> None:
    """Give up on a unit whose workers died too often."""
    if times > RETRIES:
        raise GuestError(
            f"{times} workers have died running this unit: {unit}"[:2000], file="exploration"
        )


def make_pool(jobs: int) -> Pool:
    """Make a pool of so many workers on this machine."""
    return Alone() if jobs == 1 else Processes(jobs)
