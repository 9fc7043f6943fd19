"""A Dask cluster as a pool: its own scheduler and workers, wherever they are.

Rule 1: a result counts when it has reached this process, which tells the store at once.
Rule 2: a unit whose workers die is given to others, as often as the scheduler's setting
`distributed.scheduler.allowed-failures` says, which is 3 times, and then named.

Workers must have l4lab installed, and should run one thread each (`--nthreads 1`): a stage is
one process's, and an emulator's calls do not overlap in one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import distributed

from guest.errors import GuestError
from lab.explore.pool import Arrived

_distributed: Any = distributed  # it has no annotations

W = TypeVar("W")
R = TypeVar("R")

_TIMEOUT = 30  # seconds until a cluster that does not answer is given up
_AHEAD = 4  # units for each worker that are under way or wait at the cluster


class Cluster:
    """The workers of a Dask cluster."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def workers(self) -> int:
        """How many units run at a time, about."""
        threads: int = sum(self._client.nthreads().values())
        return max(threads, 1)

    def map(
        self, function: Callable[[W], R], units: Sequence[W], arrived: Arrived[R]
    ) -> Iterator[R]:
        """Run a function over units; results come in their order."""
        # A task, and no scattered data: that is gone with the workers that hold it.
        shared = self._client.submit(_give, function, pure=False)
        done: dict[int, R] = {}
        following = submitted = 0
        numbers: dict[Any, int] = {}
        completed: Any = _distributed.as_completed(loop=self._client.loop)
        while following < len(units):
            while submitted < len(units) and len(numbers) < _AHEAD * self.workers:
                future = self._client.submit(_call, shared, units[submitted], pure=False)
                numbers[future] = submitted
                completed.add(future)
                submitted += 1
            future = next(completed)
            number = numbers.pop(future)
            try:
                result: R = future.result()
            except distributed.KilledWorker:
                raise GuestError(
                    f"too many workers have died running this unit: {units[number]}"[:2000],
                    file="exploration",
                ) from None
            arrived(number, result)
            done[number] = result
            while following in done:
                yield done.pop(following)
                following += 1

    def close(self) -> None:
        """Leave the cluster; it goes on."""
        self._client.close()


def connect(address: str) -> Cluster:
    """Connect to the scheduler of a cluster."""
    try:
        return Cluster(_distributed.Client(address, timeout=_TIMEOUT, set_as_default=False))
    except (OSError, ValueError, TimeoutError) as error:
        raise GuestError(f"no Dask cluster answers: {error}"[:300], file=address) from None


def _give(function: Callable[[W], R]) -> Callable[[W], R]:
    return function


def _call(function: Callable[[W], R], unit: W) -> R:
    return function(unit)
