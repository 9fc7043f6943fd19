"""A real browser without a window, for tests of pages; skips where there is none."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def open_browser(folder: Path, *, dark: bool = False, size: str = "1400,900") -> Iterator[Any]:
    """Start Chromium, with its files in `folder`; it prefers dark pages if asked to."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (
        "headless=new",
        "no-sandbox",  # which a container does not let it have
        "disable-gpu",
        "disable-dev-shm-usage",
        f"window-size={size}",
        f"user-data-dir={folder}",
        f"blink-settings=preferredColorScheme={0 if dark else 1}",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(driver)
    opened = webdriver.Chrome(options=options, service=service)
    try:
        yield opened
    finally:
        opened.quit()
