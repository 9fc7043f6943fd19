"""Scenarios from a command line: programs, and the gates between them, without a file.

The text of a scenario is made of what was asked for and then read as any other, so that
it means the same, and a trace has it.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from guest.errors import GuestError
from guest.files import read_file
from guest.scenario import Scenario, parse_scenario

NAME = "command line"  # stands for the file, in errors
FIRST_CAP = 0x20  # capability index of the first gate
_LABEL = 0x10  # of the first gate; each other has the next multiple
_GATE = re.compile(r"([a-z][a-z0-9_-]*)(?:=([a-z0-9_.-]+))?(?:,label=(\w+))?")
_CLASSES = {1: "ia32", 2: "amd64"}
_HEAD = 64 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for, as it was written."""

    images: tuple[str, ...]  # TASK=FILE, in the order in which they start
    gates: tuple[str, ...] = ()  # NAME[=THREAD][,label=N]
    entries: tuple[str, ...] = ()  # TASK=SYMBOL or TASK=ADDRESS
    arch: str | None = None


def make_scenario(wanted: Wanted, *, folder: Path) -> Scenario:
    """Give the scenario of some programs; files are relative to `folder`.

    Every task has a capability of every gate but its own, from index 0x20 on in the order
    of the gates.  Raises GuestError if that cannot be.
    """
    text = scenario_text(wanted, folder=folder)
    return parse_scenario(text, path=folder / f"{NAME}.toml")


def scenario_text(wanted: Wanted, *, folder: Path) -> str:
    """Write that scenario down."""
    images = [_pair(each, "--image", "TASK=FILE") for each in wanted.images]
    entries = dict(_pair(each, "--entry", "TASK=SYMBOL") for each in wanted.entries)
    names = [name for name, _ in images]
    for task in entries:
        if task not in names:
            raise _refused("--entry", f"no image is given for task {task[:40]!r}")
    gates = [_gate(each, number) for number, each in enumerate(wanted.gates)]
    arch = wanted.arch or _arch_of(folder / images[0][1])
    lines = [f"title = {_quote(' and '.join(names))}", f"arch  = {_quote(arch)}"]
    for name, file in images:
        lines += ["", "[[task]]", f"name  = {_quote(name)}", f"image = {_quote(file)}"]
        if name in entries:
            lines.append(f"entry = {_quote(entries[name])}")
        caps = [
            f"{FIRST_CAP + number:#x} = {_quote(f'gate:{gate}')}"
            for number, (gate, thread, _) in enumerate(gates)
            if thread.partition(".")[0] != name
        ]
        lines += ["[task.caps]", *caps] if caps else []
    for gate, thread, label in gates:
        lines += [
            *("", "[[gate]]", f"name   = {_quote(gate)}"),
            *(f"thread = {_quote(thread)}", f"label  = {label:#x}"),
        ]
    return "\n".join(lines) + "\n"


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _refused(option, f"{ascii(text)[:80]} is not UTF-8") from None
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise _refused(option, f"expected {form}, found {text[:80]!r}")
    return name, value


def _gate(text: str, number: int) -> tuple[str, str, int]:
    match = _GATE.fullmatch(text)
    if match is None:
        raise _refused("--gate", f"expected NAME[=THREAD][,label=N], found {text[:80]!r}")
    try:
        label = _LABEL * (number + 1) if match[3] is None else int(match[3], 0)
    except ValueError:
        raise _refused("--gate", f"expected a number, found {match[3][:40]!r}") from None
    return match[1], match[2] or match[1], label


def _arch_of(path: Path) -> str:
    # A source can be for either; amd64 then, as in all that names none.
    if path.suffix in (".s", ".S"):
        return "amd64"
    head = read_file(path, limit=_HEAD, what="image")[:5]
    return _CLASSES.get(head[4], "amd64") if head[:4] == b"\x7fELF" else "amd64"


def _quote(text: str) -> str:
    # A basic string of TOML has the escapes of JSON, but no halves of pairs.
    return json.dumps(text, ensure_ascii=False)


def _refused(option: str, message: str) -> GuestError:
    return GuestError(message, file=NAME, key=option)
