"""An annotator at work in Label Studio's editor: a box moved by the mouse, submitted, taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from backhaul.annotation.labelstudio.client import LabelStudio
from backhaul.annotation.labelstudio.sync import pull_labels, push_images
from backhaul.campaign.labelled import read_labelled
from backhaul.campaign.runrecords import BEGINNING
from backhaul.data.annotation import LabelStudioAnnotation
from backhaul.layout import RunFiles
from backhaul.values.labels import Labels
from deployments.local.label_studio import PERSON, LabelStudioServer
from tests.e2e.annotators import Desk
from tests.e2e.chromium import chromium
from tests.waiting import BOX, SIZE, beginning, let_wait

pytestmark = [
    pytest.mark.browser,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.index,
    pytest.mark.timeout(1_200),
]

PATIENCE_MS = 120_000  # on a machine that others use as well
BY = (0.06, 0.05)
"""How far the box is moved, in fractions of the image."""


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


def move_the_box(page: Page, number: int, task: int, address: str) -> None:
    """Open a task, drag the box that the model saw, and submit."""
    page.goto(f"{address}/projects/{number}/data?task={task}")
    expect(page.get_by_text("big bus").last).to_be_visible(timeout=PATIENCE_MS)
    stage = page.locator(".konvajs-content").first
    expect(stage).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_timeout(1_000)  # the stage is laid out anew once its panels are there
    frame = stage.bounding_box()
    assert frame is not None
    x1, y1, x2, y2 = BOX
    start = (
        frame["x"] + frame["width"] * (x1 + x2) / 2 / SIZE[0],
        frame["y"] + frame["height"] * (y1 + y2) / 2 / SIZE[1],
    )
    page.mouse.move(*start)
    page.mouse.down()
    for step in range(1, 11):
        page.mouse.move(
            start[0] + frame["width"] * BY[0] * step / 10,
            start[1] + frame["height"] * BY[1] * step / 10,
        )
    page.mouse.up()
    with page.expect_response(
        lambda answer: answer.request.method == "POST" and "/annotations" in answer.url
    ) as answered:
        page.get_by_role("button", name="Submit current annotation").click()
    assert answered.value.ok


def test_a_box_moved_by_the_mouse_is_taken_with_its_new_place(
    tmp_path: Path, label_studio: LabelStudioServer
) -> None:
    files = RunFiles(str(tmp_path), "by-mouse")
    BEGINNING.write(files.beginning, beginning(files))
    let_wait(files, range(1))
    settings = LabelStudioAnnotation(url=label_studio.address)
    desk = Desk(label_studio)
    with LabelStudio(label_studio.address, label_studio.token) as server:
        assert push_images(server, files, settings) == 1
        [task] = desk.tasks("by-mouse")
        with annotator(label_studio) as page:
            move_the_box(page, desk.project("by-mouse"), task["id"], label_studio.address)
        taken = pull_labels(server, files, settings)
    assert taken.problems == []
    line = (tmp_path / "labels" / "cam-1" / "0.txt").read_text().split()
    labels = Labels.from_rows([[float(value) for value in line]])
    assert labels.class_id.tolist() == [1]
    moved = [BOX[0] + BY[0] * SIZE[0], BOX[1] + BY[1] * SIZE[1]]
    sides = [BOX[2] - BOX[0], BOX[3] - BOX[1]]
    corners = labels.xyxy(*SIZE)[0]
    assert corners[:2].tolist() == pytest.approx(moved, abs=2)
    assert (corners[2:] - corners[:2]).tolist() == pytest.approx(sides, abs=0.5)
    [record] = read_labelled(files).values()
    [image] = record.images
    assert image.annotator == PERSON
    assert image.seconds is not None
    assert image.seconds > 0
    assert image.edits is not None
    assert (image.edits.moved, image.edits.n_shown, image.edits.added) == (1, 1, 0)
