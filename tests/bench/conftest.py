"""Fixtures of the benchmarks' tests: the command line, as the bench's tests call it."""

from tests.lab.conftest import l4lab

__all__ = ["l4lab"]
