"""Fixtures of the tests of documents: the command line, as the bench's tests call it."""

from tests.lab.conftest import l4lab

__all__ = ["l4lab"]
