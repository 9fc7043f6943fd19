"""Fixtures for the loaders' tests: a folder to work in, and a cache of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from guest.assemble import assemble
from guest.image import Image
from kernel.abi import Arch

Assemble = Callable[[str, Arch], Image]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, so that messages name files as a user would write them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return tmp_path


@pytest.fixture
def assemble_text(folder: Path) -> Assemble:
    """Assemble a text as the file p.s."""

    def run(text: str, arch: Arch) -> Image:
        Path("p.s").write_text(text)
        return assemble(Path("p.s"), arch)

    return run
