"""The site of the documentation, opened from disk: search works, and nothing is fetched."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from deployments.site import HERE, build
from tests.e2e.chromium import chromium

pytestmark = pytest.mark.browser


def test_search_works_from_disk_and_nothing_is_fetched(tmp_path: Path) -> None:
    shutil.copyfile(HERE / "zensical.toml", tmp_path / "zensical.toml")
    assert build(tmp_path).returncode == 0
    complaints, requests = [], []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: requests.append(asked.url))
        page.goto((tmp_path / "site" / "docs" / "data.html").as_uri())
        page.keyboard.press("/")
        search = page.get_by_role("combobox", name="Search")
        search.press_sequentially("doctor")
        found = page.get_by_role("option").filter(has_text="Doctor").first
        found.wait_for()
        assert search.input_value() == "doctor"
        found.click()
        page.wait_for_url("**/docs/doctor.html*")
        browser.close()
    assert complaints == []
    assert {url.split(":")[0] for url in requests} <= {"file", "data", "blob"}
