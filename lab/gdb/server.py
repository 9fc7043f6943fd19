"""The server: one client of gdb's protocol at a time, over TCP."""

import select
import socket
from collections.abc import Callable

from emu.timing import Timing
from guest.scenario import Scenario
from kernel.errors import UsageError
from lab.gdb.packets import Reader, Signal, encode
from lab.gdb.session import Interrupted, Session
from lab.replay.timeline import Timeline
from lab.timing import DEFAULT_TIMING

_SIZE = 4096


class Server:
    """Listens for gdb; bound when it is made, so that its port is known."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        try:
            self._socket = socket.create_server((host, port), reuse_port=False)
        except OSError as error:
            raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from error

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()

    def serve(self, timeline: Timeline, *, task: str | None = None) -> None:
        """Serve one client until it leaves."""
        connection, _ = self._socket.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = _Client(connection)
            timeline.poll = client.poll
            try:
                _serve(client, Session(timeline, task=task))
            except ConnectionError:
                pass  # it has left without a word
            finally:
                timeline.poll = None


class _Client:
    """A connection, and what came over it that nobody has looked at."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = Reader()
        self._waiting: list[bytes | Signal] = []

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._connection.sendall(data)

    def receive(self) -> bytes | Signal | None:
        """Wait for the next packet or signal; None: the client has left."""
        while not self._waiting:
            data = self._connection.recv(_SIZE)
            if not data:
                return None
            self._waiting += self._reader.feed(data)
        return self._waiting.pop(0)

    def poll(self) -> None:
        """Raise Interrupted if the client wants a movement to end, or is gone."""
        if not select.select([self._connection], [], [], 0)[0]:
            return
        data = self._connection.recv(_SIZE)
        if not data:
            raise ConnectionResetError
        self._waiting += self._reader.feed(data)
        if Signal.INTERRUPT in self._waiting:
            self._waiting.remove(Signal.INTERRUPT)
            raise Interrupted


def _serve(client: _Client, session: Session) -> None:
    acknowledges = True
    while not session.is_over:
        packet = client.receive()
        if packet is None:
            return
        if packet is Signal.DAMAGED:
            client.send(b"-")
        elif packet is Signal.INTERRUPT:
            # Nothing moves: it is stopped already.
            client.send(encode(session.answer(b"?")))
        else:
            assert isinstance(packet, bytes)
            if acknowledges:
                client.send(b"+")
            if packet == b"QStartNoAckMode":
                acknowledges = False
                client.send(encode(b"OK"))
            else:
                client.send(encode(session.answer(packet)))


def serve_scenario(
    scenario: Scenario,
    *,
    host: str,
    port: int,
    cycles: int | None = None,
    timing: Timing = DEFAULT_TIMING,
    task: str | None = None,
    once: bool = False,
    tell: Callable[[str, int], None],
) -> None:
    """Serve a scenario to gdb; `tell` is called with host and port once it can connect."""
    if task is not None and task not in {each.name for each in scenario.tasks}:
        raise UsageError(f"no task {task[:40]!a} in {scenario.name}")
    server = Server(host=host, port=port)
    timeline = Timeline(scenario, cycles=cycles, timing=timing)
    try:
        tell(host, server.port)
        while True:
            server.serve(timeline, task=task)
            if once:
                return
            timeline.seek(0)
    finally:
        timeline.close()
        server.close()
