"""A run in the JSON of Chrome's tracing, which Perfetto and others read, too.

From "Trace Event Format": times are microseconds; an arrow is a pair of events s and f, which
belong to the slices around them.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from lab.views.timeline import Item, Point, Span, Track


def encode_trace(items: Iterable[Item]) -> Iterator[str]:
    """Give the lines of a file."""
    yield '{"displayTimeUnit": "ns", "traceEvents": ['
    groups: dict[int, int] = {}  # of tracks
    first = True
    for item in items:
        for event in _events(item, groups):
            yield ("" if first else ",") + json.dumps(event, ensure_ascii=False)
            first = False
    yield "]}"


def _events(item: Item, groups: dict[int, int]) -> Iterator[dict[str, Any]]:
    match item:
        case Track():
            if item.group_number not in groups.values():
                yield {
                    "ph": "M",
                    "name": "process_name",
                    "pid": item.group_number,
                    "args": {"name": item.group},
                }
            groups[item.number] = item.group_number
            where = {"pid": item.group_number, "tid": item.number}
            yield {"ph": "M", "name": "thread_name", **where, "args": {"name": item.name}}
        case Span():
            yield {
                "ph": "X",
                "name": "runs",
                "cat": "cpu",
                "ts": item.begin / 1000,
                "dur": (item.end - item.begin) / 1000,
                "pid": groups[item.track],
                "tid": item.track,
            }
        case Point():
            place = {
                "ts": item.at / 1000,
                "pid": groups[item.track],
                "tid": item.track,
                "cat": item.category,
            }
            yield {"ph": "X", "name": item.name, "dur": 0, **place, "args": dict(item.details)}
            if item.leaves is not None:
                yield {"ph": "s", "name": "message", "id": item.leaves, **place}
            if item.arrives is not None:
                yield {"ph": "f", "bp": "e", "name": "message", "id": item.arrives, **place}
