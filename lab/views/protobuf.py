"""The wire format of Protocol Buffers, as far as writing needs it (protobuf.dev, Encoding)."""


def varint(value: int) -> bytes:
    """Encode a number of 64 bits without a sign."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(tag: int, value: int) -> bytes:
    """Encode a field that is a number, or a value of an enumeration."""
    return varint(tag << 3) + varint(value)


def fixed64(tag: int, value: int) -> bytes:
    """Encode a field of 64 bits."""
    return varint(tag << 3 | 1) + value.to_bytes(8, "little")


def block(tag: int, value: bytes) -> bytes:
    """Encode a field that is a message, or bytes."""
    return varint(tag << 3 | 2) + varint(len(value)) + value


def text(tag: int, value: str) -> bytes:
    """Encode a field that is a text."""
    return block(tag, value.encode())
