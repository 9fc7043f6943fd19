"""A part of a run written to a file, in the formats of other programs."""

import json

from lab.output import open_output
from lab.query import History, named
from lab.views import chrome, perfetto
from lab.views.mermaid import render_diagram
from lab.views.stored import stamped_as_json
from lab.views.timeline import items_of


def write_timeline(history: History, output: str, first: int, end: int) -> None:
    """Write tracks and arrows: Chrome's JSON if the name ends in .json, else Perfetto's own."""
    items = items_of(history, first, end)
    with open_output(output) as file:
        if output.endswith(".json"):
            for line in chrome.encode_trace(items):
                file.write(line.encode() + b"\n")
        else:
            for packet in perfetto.encode_trace(items):
                file.write(packet)


def write_diagram(history: History, output: str, first: int, end: int) -> None:
    """Write a sequence diagram."""
    events = ((stamped.event, names) for stamped, names in named(history, first, end))
    with open_output(output) as file:
        for line in render_diagram(events):
            file.write(line.encode() + b"\n")


def write_lines(history: History, output: str, first: int, end: int) -> None:
    """Write a JSON object for each event, a line each."""
    with open_output(output) as file:
        for stamped, names in named(history, first, end):
            file.write(json.dumps(stamped_as_json(stamped, names)).encode() + b"\n")
