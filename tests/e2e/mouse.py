"""An annotator at work in Label Studio's editor, with the mouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect, sync_playwright

from deployments.local.label_studio import PERSON, LabelStudioServer
from tests.e2e.chromium import chromium

Point = tuple[float, float]
PATIENCE_MS = 120_000  # on a machine that others use as well


@contextmanager
def annotator(server: LabelStudioServer) -> Iterator[Page]:
    """Give a page of somebody who has logged in; in the end, nothing outside was asked."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.address}/user/login/")
        page.fill("input[name=email]", PERSON)
        page.fill("input[name=password]", server.password)
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "login" not in url)
        yield page
        hosts = {urlsplit(url).hostname for url in asked if url.startswith("http")}
        assert hosts == {"127.0.0.1"}
        browser.close()


def drag_and_submit(page: Page, place: str, start: Point, by: Point) -> None:
    """Open a task, drag what lies at a point of its image, and submit.

    Args:
        page: Where somebody has logged in.
        place: Address of the task.
        start: The point, x and y in fractions of the image.
        by: How far, the same.
    """
    page.goto(place)
    stage = page.locator(".konvajs-content").first
    expect(stage).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(1_000)  # the stage is laid out anew once its panels are there
    frame = stage.bounding_box()
    assert frame is not None
    x = frame["x"] + frame["width"] * start[0]
    y = frame["y"] + frame["height"] * start[1]
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 11):
        page.mouse.move(
            x + frame["width"] * by[0] * step / 10, y + frame["height"] * by[1] * step / 10
        )
    page.mouse.up()
    with page.expect_response(
        lambda answer: answer.request.method == "POST" and "/annotations" in answer.url
    ) as answered:
        page.get_by_role("button", name="Submit current annotation").click()
    assert answered.value.ok
