"""What is known not to be found, or found wrongly, so that CI sees when it becomes more.

A row can get worse only by a miss or a false report that was not there before, so the
baseline is their names, each with the reason if it is known, and how much was counted.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.detection.score import Mark, Result

FILE = Path(__file__).parent / "baseline.json"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Names with reasons, which may be empty, and the number of marks of each part."""

    misses: Mapping[str, str]
    false: Mapping[str, str]
    counts: Mapping[str, int]

    def reason(self, mark: Mark) -> str:
        """Say why a mark is what it is, if that is known."""
        return {**self.misses, **self.false}.get(mark.name, "")


def load_baseline(file: Path = FILE) -> Baseline:
    """Read what is stored."""
    content = json.loads(file.read_text())
    return Baseline(content["misses"], content["false"], content["counts"])


def store_baseline(marks: Sequence[Mark], file: Path = FILE) -> None:
    """Store what has come of everything; the reasons that stood there stay."""
    before = load_baseline(file) if file.is_file() else Baseline({}, {}, {})
    content = {
        "misses": {mark.name: before.reason(mark) for mark in marks if mark.result is MISS},
        "false": {mark.name: before.reason(mark) for mark in marks if mark.result is FALSE},
        "counts": _counts(marks),
    }
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def worse(marks: Iterable[Mark], baseline: Baseline) -> list[str]:
    """Name what was not missed or wrong before."""
    return [
        f"{mark.part.value}: {mark.rule}, {mark.level}: {mark.result.value}: {mark.name}"
        for mark in marks
        if (mark.result is MISS and mark.name not in baseline.misses)
        or (mark.result is FALSE and mark.name not in baseline.false)
    ]


def shrunk(marks: Sequence[Mark], baseline: Baseline) -> list[str]:
    """Name the parts of which less is counted than before: what is not run is not missed."""
    now = _counts(marks)
    return [
        f"{part}: {now.get(part, 0)} of {count} are counted"
        for part, count in baseline.counts.items()
        if now.get(part, 0) < count
    ]


MISS, FALSE = Result.MISS, Result.FALSE


def _counts(marks: Iterable[Mark]) -> dict[str, int]:
    # What has to be found, and what has to be let alone.
    return dict(
        sorted(Counter(mark.part.value for mark in marks if mark.result is not FALSE).items())
    )
