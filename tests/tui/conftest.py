"""Recorded runs that tests look at."""

from pathlib import Path

import pytest

from tests.tui.stage import record


@pytest.fixture(scope="session")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("traces") / "nested.l4trace", "faq_nested_call")
