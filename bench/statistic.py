"""How far predictions are from what was measured."""

from collections.abc import Sequence
from statistics import median


def mean_error(predicted: Sequence[float], measured: Sequence[float]) -> float:
    """Give the mean absolute error in percent of what was measured."""
    pairs = zip(predicted, measured, strict=True)
    return 100 * sum(abs(p - m) / m for p, m in pairs) / len(measured)


def median_error(predicted: Sequence[float], measured: Sequence[float]) -> float:
    """Give the median absolute error in percent of what was measured."""
    pairs = zip(predicted, measured, strict=True)
    return 100 * median(abs(p - m) / m for p, m in pairs)
