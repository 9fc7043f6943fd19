"""Packets of the remote serial protocol: bytes in, payloads out, and back.

The format is that of gdb's manual, appendix E.1 (Overview): ``$payload#checksum``, a plus
for each that arrived whole, and 0x03 outside of any packet to interrupt.
"""

from enum import Enum

LONGEST = 0x4000  # bytes of a payload, both ways; gdb is told

_ESCAPE = 0x7D
_ESCAPED = frozenset(b"#$}*")


class Signal(Enum):
    """What may come instead of a packet."""

    INTERRUPT = 0x03
    DAMAGED = 0x24  # a packet whose checksum is wrong, or that is too long


def encode(payload: bytes) -> bytes:
    """Make a packet of a payload."""
    body = bytearray()
    for byte in payload:
        if byte in _ESCAPED:
            body += bytes((_ESCAPE, byte ^ 0x20))
        else:
            body.append(byte)
    return b"$%s#%02x" % (bytes(body), sum(body) & 0xFF)


class Reader:
    """Takes bytes as they come, and gives payloads; keeps no more than one packet."""

    def __init__(self) -> None:
        self._body: bytearray | None = None  # of the packet that has begun
        self._checksum: bytearray | None = None  # once its end was seen

    def feed(self, data: bytes) -> list[bytes | Signal]:
        """Take bytes, and give what they complete."""
        found: list[bytes | Signal] = []
        for byte in data:
            done = self._take(byte)
            if done is not None:
                found.append(done)
        return found

    def _take(self, byte: int) -> bytes | Signal | None:
        if self._checksum is not None:
            self._checksum.append(byte)
            return self._finish() if len(self._checksum) == 2 else None
        if byte == ord("$"):
            self._body = bytearray()  # also in mid-packet: the one before was cut
        elif self._body is None:
            # Acknowledgements need no answer.
            return Signal.INTERRUPT if byte == Signal.INTERRUPT.value else None
        elif byte == ord("#"):
            self._checksum = bytearray()
        elif len(self._body) > 2 * LONGEST:
            self._body = None
            return Signal.DAMAGED
        else:
            self._body.append(byte)
        return None

    def _finish(self) -> bytes | Signal:
        assert self._body is not None
        assert self._checksum is not None
        body, checksum = bytes(self._body), bytes(self._checksum)
        self._body = self._checksum = None
        if b"%02x" % (sum(body) & 0xFF) != checksum.lower():
            return Signal.DAMAGED
        payload = bytearray()
        escaped = False
        for byte in body:
            if escaped:
                payload.append(byte ^ 0x20)
                escaped = False
            elif byte == _ESCAPE:
                escaped = True
            else:
                payload.append(byte)
        return bytes(payload) if len(payload) <= LONGEST else Signal.DAMAGED
