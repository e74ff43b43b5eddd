"""A browser without a window that draws a page at a size and in a theme."""

import base64
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromedriver")
WAIT_S = 60


@dataclass(frozen=True)
class Drawn:
    """What a page was like once it was drawn."""

    driver: Any

    def ask(self, script: str) -> Any:
        """Return what *script* returns in the page."""
        return self.driver.execute_script(f"return {script}")

    def said(self) -> list[str]:
        """Return what the console has said."""
        return [one["message"] for one in self.driver.get_log("browser")]

    def picture(self, path: Path) -> None:
        """Write the whole page to *path* as a PNG."""
        size = {name: self.ask(f"document.documentElement.{name}") for name in SIZES}
        clip = {"x": 0, "y": 0, "scale": 1, "width": size[SIZES[0]], "height": size[SIZES[1]]}
        shot = {"captureBeyondViewport": True, "clip": clip}
        answer = self.driver.execute_cdp_cmd("Page.captureScreenshot", shot)
        path.write_bytes(base64.b64decode(answer["data"]))


SIZES = ("scrollWidth", "scrollHeight")


@contextmanager
def browser() -> Iterator[Any]:
    """Start one; the test is skipped where there is none."""
    pytest.importorskip("selenium", reason="selenium is not installed")
    paths = [shutil.which(name) for name in NAMES]
    if None in paths:
        pytest.skip(f"{' or '.join(NAMES)} is not installed: see .ci/browser-packages")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(paths[0])
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(paths[1])))
    try:
        yield driver
    finally:
        driver.quit()


def drawn(driver: Any, page: Path, width: int, theme: str) -> Drawn:
    """Open *page* and wait until it is drawn."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": theme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    driver.get(page.as_uri())
    found = Drawn(driver)
    deadline_s = time.monotonic() + WAIT_S
    while not found.ask("document.body.dataset.drawn"):
        if time.monotonic() > deadline_s:
            pytest.fail(f"not drawn after {WAIT_S} s: {found.said()}")
        time.sleep(0.1)
    return found
