"""A run for Perfetto (ui.perfetto.dev), as a Trace message of TrackEvents.

The numbers of the fields are from perfetto's protos/perfetto/trace: trace.proto,
trace_packet.proto, track_event/{track_descriptor,track_event,debug_annotation}.proto.
"""

from collections.abc import Iterable, Iterator

from lab.views.protobuf import block, fixed64, number, text
from lab.views.timeline import Item, Point, Span, Track

_TRACE_PACKET = 1
_TIMESTAMP = 8  # of a TracePacket
_SEQUENCE = 10
_TRACK_EVENT = 11
_TRACK_DESCRIPTOR = 60
_UUID = 1  # of a TrackDescriptor
_PROCESS = 3
_THREAD = 4
_PROCESS_PID, _PROCESS_NAME = 1, 6
_THREAD_PID, _THREAD_TID, _THREAD_NAME = 1, 2, 5
_ANNOTATION = 4  # of a TrackEvent
_TYPE = 9
_TRACK = 11
_CATEGORY = 22
_NAME = 23
_FLOW = 47
_LAST_FLOW = 48
_ANNOTATION_NAME, _ANNOTATION_TEXT = 10, 6
_BEGIN, _END, _INSTANT = 1, 2, 3
_PROCESS_TRACKS = 1 << 40  # uuids of theirs begin there


def encode_trace(items: Iterable[Item]) -> Iterator[bytes]:
    """Give the packets of a trace."""
    groups: set[int] = set()
    for item in items:
        match item:
            case Track():
                if item.group_number not in groups:
                    groups.add(item.group_number)
                    yield _packet(block(_TRACK_DESCRIPTOR, _process(item)))
                yield _packet(block(_TRACK_DESCRIPTOR, _thread(item)))
            case Span():
                yield _event(item.begin, item.track, _BEGIN, "runs", "cpu")
                yield _event(item.end, item.track, _END, "", "")
            case Point():
                yield _event(
                    item.at, item.track, _INSTANT, item.name, item.category, _more(item)
                )


def _process(track: Track) -> bytes:
    process = number(_PROCESS_PID, track.group_number) + text(_PROCESS_NAME, track.group)
    return number(_UUID, _PROCESS_TRACKS + track.group_number) + block(_PROCESS, process)


def _thread(track: Track) -> bytes:
    thread = (
        number(_THREAD_PID, track.group_number)
        + number(_THREAD_TID, track.number)
        + text(_THREAD_NAME, track.name)
    )
    return number(_UUID, _uuid(track.number)) + block(_THREAD, thread)


def _uuid(track: int) -> int:
    return track + 1  # 0 is Perfetto's own


def _event(
    at: int, track: int, kind: int, name: str, category: str, more: bytes = b""
) -> bytes:
    event = number(_TYPE, kind) + number(_TRACK, _uuid(track))
    if name:
        event += text(_NAME, name) + text(_CATEGORY, category)
    return _packet(number(_TIMESTAMP, at) + block(_TRACK_EVENT, event + more))


def _more(point: Point) -> bytes:
    out = b"".join(
        block(_ANNOTATION, text(_ANNOTATION_NAME, name) + text(_ANNOTATION_TEXT, value))
        for name, value in point.details
    )
    if point.leaves is not None:
        out += fixed64(_FLOW, point.leaves + 1)
    if point.arrives is not None:
        out += fixed64(_LAST_FLOW, point.arrives + 1)
    return out


def _packet(content: bytes) -> bytes:
    return block(_TRACE_PACKET, content + number(_SEQUENCE, 1))
