"""The site can be built without a warning, and the examples on its pages are right."""

import doctest
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import lab
from lab import api

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(
    find_spec("mkdocs") is None or find_spec("mkdocstrings_handlers") is None,
    reason="mkdocs and mkdocstrings are not installed: pip install l4lab[docs]",
)
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING -" not in done.stderr
    pages = {path.stem for path in tmp_path.glob("*.html")}
    assert pages >= {path.stem for path in (ROOT / "docs").glob("*.md")}
    # What is generated is there.
    reference = (tmp_path / "reference.html").read_text()
    for name in api.__all__:
        assert name in reference, name
    assert "Call the server behind a gate" in reference


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"([a-z-]+\.md)", (ROOT / "mkdocs.yml").read_text())
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_the_examples_of_the_interface_print_what_they_say() -> None:
    done = doctest.testmod(api)
    assert (done.failed, done.attempted > 8) == (0, True)


def test_the_lab_has_what_its_interface_has_and_imports_it_late() -> None:
    assert [getattr(lab, name) for name in api.__all__] == [
        getattr(api, name) for name in api.__all__
    ]
    assert set(api.__all__) <= set(dir(lab))
    stub = (ROOT / "lab" / "__init__.pyi").read_text()
    assert re.findall(r" as (\w+)$", stub, re.MULTILINE) == sorted(api.__all__)
    with pytest.raises(AttributeError, match="'lab' has no attribute 'bot'"):
        lab.bot  # type: ignore[attr-defined]  # noqa: B018
    code = "import sys, lab; print('lab.api' in sys.modules, 'emu' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False False\n"


def test_the_examples_of_tests_pass(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    page = (ROOT / "docs" / "testing.md").read_text()
    conftest, *tests = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    pytester.makeconftest(conftest)
    for number, text in enumerate(tests):
        (pytester.path / f"test_{number}.py").write_text(text)

    result = pytester.runpytest_inprocess("--update-golden")

    result.assert_outcomes(passed=len(tests))
    assert len(tests) == 5
