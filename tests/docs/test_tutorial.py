"""The tutorial is run: its files are written, its commands typed, their output compared."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guest.errors import GuestError
from guest.project import create_project, refresh_include
from tests.lab.cli import CommandLine

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"

needs_compiler = pytest.mark.skipif(
    shutil.which("make") is None or shutil.which("gcc") is None, reason="no make, or no gcc"
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a user has: the commands in the path."""
    tools = tmp_path / "bin"
    tools.mkdir()
    python = shlex.quote(sys.executable)
    for name, arguments in (
        ("l4lab", "-m lab.cli"),
        ("pytest", "-m pytest -p no:cacheprovider"),
        ("python", ""),
    ):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\nexec {python} {arguments} "$@"\n')
        tool.chmod(0o755)
    # A make that runs these tests is not the user's.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    own.pop("MFLAGS", None)
    return {
        **own,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
        "COLUMNS": "80",
    }


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Give language, title and text of each fenced block."""
    fence = r'^```(\w+)(?: title="([^"]*)")?\n(.*?)^```$'
    for match in re.finditer(fence, page.read_text(), re.MULTILINE | re.DOTALL):
        yield match[1], match[2] or "", match[3]


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Give the commands of a block, each with the lines that it is said to print."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        yield command, lines


def fits(lines: list[str], printed: list[str]) -> bool:
    """Whether lines are those printed; a line of three dots is any number of them."""
    if not lines:
        return not printed
    if lines[0] == "...":
        return any(fits(lines[1:], printed[at:]) for at in range(len(printed) + 1))
    pattern = ".*".join(re.escape(part) for part in re.split(r"\*|\.\.\.", lines[0].rstrip()))
    head = bool(printed) and re.fullmatch(pattern, printed[0].rstrip()) is not None
    return head and fits(lines[1:], printed[1:])


@needs_compiler
def test_the_tutorial_works_as_it_is_written(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path
    typed = 0
    for language, title, text in blocks(TUTORIAL):
        if title:
            (folder / title).write_text(text)
        elif language == "console":
            for command, lines in commands(text):
                typed += 1
                if command.startswith("cd "):
                    folder /= command[3:]
                    continue
                done = subprocess.run(
                    ["bash", "-c", command],
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                printed = done.stdout.splitlines()
                assert fits(lines, printed), f"$ {command}\n{done.stdout}{done.stderr}"
    assert typed == 14


@needs_compiler
def test_a_new_project_is_green_and_turns_red_with_the_bug(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    project = tmp_path / "project"
    files = create_project(project)
    assert {path.relative_to(project).as_posix() for path in files} >= {
        ".github/workflows/test.yml",
        ".gitignore",
        "Makefile",
        "include/abi.h",
        "scenarios/doubler.toml",
        "src/server.c",
        "tests/test_doubler.py",
    }

    def test() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "test"],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    green = test()
    assert (green.returncode, " 8 passed " in green.stdout) == (0, True), green.stdout

    server = project / "src" / "server.c"
    read, log = (
        "  l4_umword_t number = l4_utcb_mr()->mr[0];\n",
        '  log_puts("doubler: a request\\n");\n',
    )
    assert read + log in server.read_text()
    server.write_text(server.read_text().replace(read + log, log + read))
    red = test()
    assert red.returncode != 0
    assert " 8 failed " in red.stdout
    for line in (
        "F1 confirmed stale-read of mr[0] in dispatch (server.c:16)",
        "               actual    client: twice 42 is 0",
        "              l4_umword_t number = l4_utcb_mr()->mr[0];",
        '              log_puts("doubler: a request\\n");',
    ):
        assert line in red.stdout.splitlines()
    assert len(list((project / "l4lab-artifacts").glob("*.trace"))) == 8


def test_a_project_is_made_in_an_empty_folder_only(l4lab: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    ran = l4lab("new", str(tmp_path))
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"l4lab: {tmp_path}: expected a new or an empty folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    with pytest.raises(GuestError, match="cannot make a project here"):
        create_project(tmp_path / "mine" / "below")
    with pytest.raises(GuestError, match="it has no folder include"):
        refresh_include(tmp_path)


def test_the_include_files_of_a_project_are_brought_up_to_date(
    l4lab: CommandLine, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    assert l4lab("new", str(folder)).code == 0
    (folder / "include" / "abi.h").write_text("old")
    (folder / "Makefile").write_text("mine")
    assert l4lab("new", "--include", str(folder)).code == 0
    assert "UTCB_MR_COUNT" in (folder / "include" / "abi.h").read_text()
    assert (folder / "Makefile").read_text() == "mine"
