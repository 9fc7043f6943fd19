"""Whoever is told what happened.

Transfers and switches come by the million, and a recorder may want their fields rather
than an object of each: they have methods of their own, which make events unless they are
overridden.  Everything comes in order, after the state has changed, and nothing that a
recorder does can reach back.
"""

from kernel.abi import TAG_WORDS
from kernel.events import Event, Switch, Transfer
from kernel.message import Utcb
from kernel.objects import Thread
from kernel.port import LABEL, TAG


class Recorder:
    """Takes events; a subclass says in `record` what becomes of them."""

    __slots__ = ("_overwritten",)

    def __init__(self) -> None:
        self._overwritten = b""

    def record(self, event: Event) -> None:
        """Take note of `event`."""
        raise NotImplementedError

    def prepare(self, utcb: Utcb, count: int) -> None:
        """Keep what a receiver holds in the first `count` words: a transfer comes next."""
        self._overwritten = utcb.read(count)

    def transfer(
        self,
        cycle: int,
        position: int,
        sender: int,
        receiver: Thread,
        operation: int,
        via: int,
        error: int,
        sender_ip: int,
        receiver_ip: int,
    ) -> None:
        """Take note of a message that has just reached `receiver`: see `events.Transfer`."""
        tag = int(receiver.registers[TAG])
        self.record(
            Transfer(
                cycle,
                position,
                sender,
                receiver.number,
                operation,
                via,
                tag,
                int(receiver.registers[LABEL]),
                error,
                sender_ip,
                receiver_ip,
                receiver.utcb.read(tag & TAG_WORDS),
                self._overwritten,
            )
        )

    def switch(self, cycle: int, position: int, previous: int, following: int) -> None:
        """Take note of a switch of threads: see `events.Switch`."""
        self.record(Switch(cycle, position, previous, following))
