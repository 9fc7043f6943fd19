"""`l4lab cost`: a line of output for each of input, whatever it holds."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cost import answer_lines, read_lines
from tests.lab.cli import CommandLine

BLOCKS = """\
4801c8
# a comment, 1

480fafc1, 3.02
zz
4883ec08,
06
90 90
"""


def write(folder: Path, text: str | bytes) -> str:
    path = folder / "blocks"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_each_line_is_answered_in_order(l4lab: CommandLine, tmp_path: Path) -> None:
    called = l4lab("cost", "--cpu", "skylake", write(tmp_path, BLOCKS))

    assert called.out.splitlines() == [
        "1.00,latency",
        "",
        "",
        "3.00,latency",
        "nan,undecodable",
        "1.00,latency",
        "nan,undecodable",
        "0.50,predecode",
    ]
    assert (called.code, called.err) == (3, "")


def test_what_can_be_decoded_exits_with_0(l4lab: CommandLine, tmp_path: Path) -> None:
    called = l4lab("cost", "--cpu", "haswell", write(tmp_path, "4801c8\r\n\n90"))

    assert (called.code, called.out) == (0, "1.00,latency\n\n0.25,predecode\n")


def test_an_architecture_has_its_own_code(l4lab: CommandLine, tmp_path: Path) -> None:
    path = write(tmp_path, "40\n4801c8\n")

    assert l4lab("cost", "--arch", "ia32", path).out == "1.00,latency\n2.00,latency\n"
    assert l4lab("cost", "--arch", "amd64", path).out.splitlines()[0] == "nan,undecodable"


def test_a_loop_is_not_decoded_again(l4lab: CommandLine, tmp_path: Path) -> None:
    path = write(tmp_path, "6681c234126681c334124839c875f1")

    assert l4lab("cost", path).out == "6.94,predecode\n"
    assert l4lab("cost", "--loop", path).out == "1.00,issue\n"


def test_an_explanation_shows_bounds_ports_chain_and_the_third_figure(
    l4lab: CommandLine, tmp_path: Path
) -> None:
    called = l4lab("cost", "--explain", write(tmp_path, "480fafc148ffc94839ca75f4"))

    assert called.out.splitlines() == [
        "3.00,latency",
        "  unrolled        3.00  latency    of  predecode 1.00  decode 0.75  issue 0.75"
        "  ports 1.00  latency 3.00  divider 0.00  serialise 0.00",
        "  loop            3.00  latency    of  issue 1.00  ports 1.00  latency 3.00"
        "  divider 0.00  serialise 0.00",
        "  charged once    1.00  ports      of  issue 0.75  ports 1.00  divider 0.00"
        "  serialise 0.00",
        "  ports        p0 0.67  p1 1.00  p5 0.67  p6 0.67",
        "  waits, unrolled 1",
        "  waits, loop     1",
        "  slots  latency  ports",
        "      1        3  p1                 1  imul rax, rcx",
        "      1        1  p0156              2  dec rcx",
        "      1        1  p06                3  cmp rdx, rcx",
        "                                     4  jne 0  (fused with it)",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cpu", "z80"), "--cpu: 'z80' is none of skylake, haswell, icelake-server"),
        (("--arch", "arm"), "--arch: 'arm' is none of amd64, ia32"),
    ],
)
def test_unknown_names_are_refused(
    l4lab: CommandLine, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    called = l4lab("cost", *arguments, write(tmp_path, "90"))

    assert (called.code, called.out) == (3, "")
    assert called.err.startswith(f"l4lab: {message}")


@pytest.mark.parametrize(
    "line",
    [b"9", b"0x90", b"\xff\xfe", b",", b", 90", b"90" * 70_000, b"66" * 15, b"\x00", b"9 0"],
)
def test_lines_that_are_no_code_are_answered_all_the_same(line: bytes) -> None:
    answers = list(
        answer_lines([line, b"90"], "skylake", "amd64", is_loop=False, explains=True)
    )

    assert [answer.text for answer in answers] == ["nan,undecodable", "0.25,predecode"]


def test_of_an_enormous_line_only_the_beginning_is_kept() -> None:
    stream = io.BytesIO(b"90," + b"x" * 3_000_000 + b"\n90" + b"90" * 1_000_000 + b"\n4801c8")

    lines = list(read_lines(stream))

    assert [len(line) for line in lines] == [1 << 18, 1 << 18, 6]
    answers = answer_lines(lines, "skylake", "amd64", is_loop=False, explains=False)
    assert [answer.text for answer in answers] == [
        "0.25,predecode",
        "nan,undecodable",
        "1.00,latency",
    ]


def test_the_command_line_starts_without_the_model() -> None:
    heavy = {"capstone", "rich", "lab.cost"}
    code = f"import sys, lab.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
