"""Schedule files: the choices of one run, to be taken again.

A file is JSON.  It carries hashes of the scenario and of the programs, and each choice that
is not the usual one by who makes it, the kind of choice point, and how often that was asked
before.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guest.errors import GuestError
from guest.files import read_file
from guest.image import Image
from guest.scenario import Scenario
from guest.table import quote
from kernel.kernel import IRQ, OVERRULE, PREEMPT, SLICE, START, TIMEOUT
from kernel.variation import Choose, Points, Variation
from lab.atomic import write_text
from lab.names import Names
from lab.replay.system import Subjects

SCHEMA = 1
INFEASIBLE = "infeasible on one CPU"
POINTS = (PREEMPT, SLICE, START, IRQ, TIMEOUT, OVERRULE)
_LIMIT = 1 << 20  # bytes of a file
_MOST = 1 << 40  # of any number
_NUMBERED = re.compile(r"(?:.*\.)?#([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice by the name of who makes it."""

    thread: str  # or IRQ
    point: str
    ordinal: int
    option: int

    def __str__(self) -> str:
        return f"{self.thread}: {self.point} number {self.ordinal}, option {self.option}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a schedule file says."""

    scenario: str
    arch: str
    scenario_hash: str
    images: dict[str, str]  # digests by task
    points: Points
    choices: tuple[Choice, ...]
    failures: tuple[str, ...] = ()  # that the run has shown
    file: str = ""

    def check(self, scenario: Scenario, images: dict[str, Image]) -> None:
        """Refuse another scenario than the one that it was made with, or other programs."""
        if self.arch != scenario.arch.name:
            raise self._error(
                "arch", f"{quote(self.arch)}, this run is on {scenario.arch.name}"
            )
        if self.scenario_hash != hash_of(scenario):
            what = f"made with another scenario, or another version of {scenario.name}"
            raise self._error("scenario_hash", f"{what}: --loose takes what fits")
        for name, image in images.items():
            if self.images.get(name) != image.digest:
                what = f"the program of {name} is another one: --loose takes what fits"
                raise self._error(f"images.{name}", what)

    def variation(self, subjects: Subjects, *, loose: bool) -> Variation:
        """Give the variation of a run in which choices are made by these."""
        found: list[Choose] = []
        for index, each in enumerate(self.choices):
            known = subjects.irqs if each.point == IRQ else subjects.threads
            number = known.get(each.thread)
            if number is None and (match := _NUMBERED.fullmatch(each.thread)):
                number = int(match[1])
            if number is None:
                if loose:
                    continue
                where = f"choices[{index}].thread"
                raise self._error(where, f"this scenario has no {quote(each.thread)}")
            found.append(Choose(number, each.point, each.ordinal, each.option))
        if not found and self.points == Points():
            return ()
        return (self.points, *found)

    def _error(self, key: str, message: str) -> GuestError:
        return GuestError(message, file=self.file, key=key)


def hash_of(scenario: Scenario) -> str:
    """Give the hash of a scenario's text."""
    return hashlib.sha256(scenario.text.encode()).hexdigest()


def make_schedule(
    scenario: Scenario,
    images: dict[str, Image],
    variation: Variation,
    names: Names,
    failures: tuple[str, ...],
) -> Schedule:
    """Make a schedule of a run's variation."""
    points = next((each for each in variation if isinstance(each, Points)), Points())
    return Schedule(
        scenario=scenario.name,
        arch=scenario.arch.name,
        scenario_hash=hash_of(scenario),
        images={name: image.digest for name, image in images.items()},
        points=points,
        choices=tuple(
            Choice(who(names, each.subject), each.point, each.ordinal, each.option)
            for each in variation
            if isinstance(each, Choose)
        ),
        failures=failures,
    )


def who(names: Names, number: int) -> str:
    """Name who makes a choice: by the scenario's name, else by its number."""
    return names.objects.get(number) or f"#{number}"


def save_schedule(schedule: Schedule, path: Path) -> None:
    """Write a schedule file."""
    points = schedule.points
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "scenario": schedule.scenario,
        "arch": schedule.arch,
        "scenario_hash": schedule.scenario_hash,
        "images": schedule.images,
        "points": {
            "grain": points.grain,
            "window": points.window,
            "overrules": points.overrules,
        },
        "feasible": not points.overrules,
        "choices": [
            {
                "thread": each.thread,
                "point": each.point,
                "ordinal": each.ordinal,
                "option": each.option,
            }
            for each in schedule.choices
        ],
        "failures": list(schedule.failures),
    }
    write_text(path, json.dumps(value, indent=2) + "\n")


def load_schedule(path: Path) -> Schedule:
    """Read a schedule file; GuestError says what is wrong with one, and where."""
    file = str(path)
    data = read_file(path, limit=_LIMIT, what="schedule")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise GuestError(f"not JSON: {str(error)[:100]}", file=file) from None
    top = _Reader(file, "", value)
    if top.number("schema") != SCHEMA:
        raise GuestError(f"expected {SCHEMA}", file=file, key="schema")
    points = _Reader(file, "points.", top.take("points", dict))
    images = top.take("images", dict)
    choices = top.take("choices", list)
    failures = top.take("failures", list)
    return Schedule(
        scenario=top.text("scenario"),
        arch=top.text("arch"),
        scenario_hash=top.text("scenario_hash"),
        images={str(name): str(digest) for name, digest in images.items()},
        points=Points(
            points.number("grain"), points.number("window"), points.take("overrules", bool)
        ),
        choices=tuple(
            _choice(_Reader(file, f"choices[{k}].", each)) for k, each in enumerate(choices)
        ),
        failures=tuple(str(each) for each in failures),
        file=file,
    )


class _Reader:
    """Takes values out of an object that somebody wrote."""

    def __init__(self, file: str, prefix: str, value: object) -> None:
        if not isinstance(value, dict):
            key = prefix.rstrip(".") or None
            raise GuestError("expected an object", file=file, key=key)
        self._file, self._prefix, self._value = file, prefix, value

    def take(self, key: str, kind: type[Any]) -> Any:
        value = self._value.get(key)
        if type(value) is not kind:
            names = {dict: "an object", list: "a list", bool: "true or false", str: "a string"}
            found = names.get(kind, "a number")
            raise GuestError(f"expected {found}", file=self._file, key=self._prefix + key)
        return value

    def text(self, key: str) -> str:
        return str(self.take(key, str))

    def number(self, key: str) -> int:
        value = self.take(key, int)
        if not 0 <= value < _MOST:
            raise GuestError("not a number from 0 on", file=self._file, key=self._prefix + key)
        return int(value)

    def point(self) -> str:
        value = self.text("point")
        if value not in POINTS:
            message = f"expected one of {', '.join(POINTS)}"
            raise GuestError(message, file=self._file, key=self._prefix + "point")
        return value


def _choice(reader: _Reader) -> Choice:
    return Choice(
        reader.text("thread"), reader.point(), reader.number("ordinal"), reader.number("option")
    )
