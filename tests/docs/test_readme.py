"""What the README shows is what the program prints."""

import re
from pathlib import Path

from lab.testing import RunScenario
from tests.lab.cli import CommandLine

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_trace_in_the_readme_is_printed_in_this_order(l4lab: CommandLine) -> None:
    (shown,) = blocks("text")
    printed = iter(l4lab("trace", "faq_nested_call").out.splitlines())

    missing = [line for line in shown.splitlines() if line not in printed]
    assert missing == []


def test_every_command_with_output_prints_it(l4lab: CommandLine) -> None:
    checked = 0
    for block in blocks("console"):
        command, _, output = block.partition("\n")
        if command.startswith("$ l4lab ") and output:
            assert l4lab(*command.split()[2:]).out == output
            checked += 1
    assert checked == 1


def test_the_test_in_the_readme_passes(run_scenario: RunScenario) -> None:
    (code,) = blocks("python")
    names: dict[str, object] = {}
    exec(code, names)
    test = names["test_the_payload_arrives"]
    assert callable(test)
    test(run_scenario)


def test_every_file_that_a_document_links_to_exists() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)\b", README)) <= targets
