"""Marks: how people write down a place in a run.

``1234`` is a position and ``1234+1`` the second instant there, ``1234/2`` the transfer at a
position when two words are copied, ``cycle:5000`` the first instant at or after a cycle,
``event:17`` the first one that shows an event, ``end`` the end.
"""

import re

from lab.replay.halting import Instant
from lab.replay.timeline import Copying, MarkError, Timeline

_MARK = re.compile(
    r"(?:(?P<position>\d{1,20})(?:\+(?P<turn>\d{1,20})|/(?P<done>\d{1,20}))?"
    r"|cycle:(?P<cycle>\d{1,20})|event:(?P<event>\d{1,20})|(?P<end>end))"
)


def seek_mark(timeline: Timeline, text: str) -> Copying | None:
    """Move a timeline's cursor to a mark; give the view of a transfer if that is meant.

    Raises MarkError if it is no mark, or the run has no such place.
    """
    match = _MARK.fullmatch(text.strip())
    if match is None:
        shown = ascii(text[:40])
        raise MarkError(f"{shown} is no mark: POSITION, POSITION/WORD, cycle:N, event:N or end")
    part = match.groupdict()
    if part["end"]:
        timeline.seek_end()
    elif part["cycle"]:
        timeline.seek_cycle(int(part["cycle"]))
    elif part["event"]:
        timeline.seek_event(int(part["event"]))
    elif part["done"]:
        view = timeline.copying(int(part["position"]), int(part["done"]))
        timeline.seek(timeline.log.shown(view.event))
        return view
    else:
        timeline.seek(Instant(int(part["position"]), int(part["turn"] or 0)))
    return None
