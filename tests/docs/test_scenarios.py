"""The example of a suppression in docs/scenarios.md is one."""

import re
from datetime import date
from pathlib import Path

from lab.suppress import Suppression, load_suppressions

PAGE = (Path(__file__).parents[2] / "docs/scenarios.md").read_text()


def test_the_suppression_in_the_page_is_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```toml\n(\[\[suppress\]\]\n.*?)^```$", PAGE, re.M | re.S)
    (tmp_path / "x.toml").write_text(text)
    assert load_suppressions(tmp_path / "x.toml") == (
        Suppression(
            key="suppress[0]",
            rule="stale-read",
            thread="server",
            function="Server::*",
            register="mr[1]",
            reason="the word is a counter that nobody needs exactly",
            expires=date(2027, 6, 30),
        ),
    )
