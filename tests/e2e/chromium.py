"""The browser of the tests."""

import os
import shutil

import pytest


def chromium() -> str:
    """Return the browser, or fail with what is missing."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, names)]
    path = next((name for name in found if name), None)
    if path is None:
        pytest.fail(f"no browser: expected one of {', '.join(names)} on PATH, or CHROMIUM")
    return path
