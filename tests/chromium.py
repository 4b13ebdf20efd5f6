"""Debian's Chromium without a window, for pages from the disk."""

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

WIDE, PHONE = (1440, 900), (390, 844)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
LOGGED = {"browser": "ALL", "performance": "ALL"}


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """A browser of its own; the test is skipped, with the reason, where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    paths = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if missing := [name for name, path in paths.items() if path is None]:
        pytest.skip(f"{' and '.join(missing)} missing: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.binary_location = paths["chromium"]
    options.set_capability("goog:loggingPrefs", LOGGED)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(paths["chromedriver"]))
    try:
        yield browser
    finally:
        browser.quit()


def look(browser: Any, size: tuple[int, int] = WIDE, theme: str = "light") -> None:
    """Gives the browser a size in pixels and the system's theme."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def complaints(browser: Any) -> list[str]:
    """What the console says, errors and warnings alike."""
    return [entry["message"] for entry in browser.get_log("browser")]


def requested(browser: Any) -> set[str]:
    """Schemes of all that was asked for, `file` or `https`."""
    events = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    sent = (event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent")
    return {url.partition(":")[0] for url in sent}


def pixels(shown: Any) -> np.ndarray[Any, Any]:
    """An element as it is on the screen, "h w c" in grey levels, without its outermost pixels."""
    picture = Image.open(io.BytesIO(shown.screenshot_as_png)).convert("RGB")
    return np.asarray(picture).astype(int)[8:-8, 8:-8]
