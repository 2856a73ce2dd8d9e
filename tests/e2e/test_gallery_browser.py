"""The page of thumbnails in a browser: what it shows, by mouse and keys; how much it bears."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from backhaul.data.formats import read
from backhaul.data.settings import FolderData
from backhaul.report.gallery import Gallery, gallery_of_data_set, write_gallery
from backhaul.report.gallery.content import Shown
from backhaul.values.labels import Labels
from tests.e2e.chromium import chromium
from tests.unit.conftest import NASTY

pytestmark = pytest.mark.browser

PATIENCE_MS = 15_000
N_MANY = 10_000
MOST_PAGE_BYTES = 5_000_000
MOST_S = 2.0  # of processor time of the page until the first images of 10,000 are there
IMAGES = 40
NASTY_NAME = "<img src=x onerror=alert(1)>.png"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set in which names, classes and labels are as they should not be."""
    root = tmp_path_factory.mktemp("browser") / "cars"
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    rng = np.random.default_rng(0)
    for i in range(IMAGES):
        name = NASTY_NAME if i == 0 else f"cam{i % 3}_{i:02d}.png"
        pixels = rng.integers(0, 255, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "images" / name)
        boxes = [f"{(i + k) % 2} 0.5 0.5 0.{k + 2} 0.{k + 3}" for k in range(i % 4)]
        lines = [*boxes, "9 0.5 0.5 0.1 0.1"] if i == 7 else boxes
        (root / "labels" / f"{name.removesuffix('.png')}.txt").write_text("\n".join(lines))
    (root / "images" / "broken.png").write_bytes(b"nothing")
    (root / "data.yaml").write_text(json.dumps({"names": ["car", NASTY]}))
    return root


def written(gallery: Gallery, folder: Path) -> Path:
    return write_gallery(gallery, folder, None, lambda done, total: None)


@pytest.fixture(scope="module")
def of_data(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    report = read(FolderData(root=data, group_pattern="(cam[0-9])"))
    gallery = gallery_of_data_set(report, "cars", data.as_posix())
    return written(gallery, tmp_path_factory.mktemp("of-data"))


@pytest.fixture(scope="module")
def of_run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = gallery_of_data_set(read(FolderData(root=data)), "first", data.as_posix())
    images = tuple(
        replace(image, part=f"batch {i % 2}", sent={"iqr": "car, 0.5"} if i < 5 else {})
        for i, image in enumerate(found.images)
    )
    gallery = replace(found, kind="run", images=images, methods=("iqr", "true-random"))
    return written(gallery, tmp_path_factory.mktemp("of-run"))


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    contexts, complaints, requests = [], [], []

    def open_page(file: Path, width: int = 1280) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda asked: requests.append(asked.url))
        page.goto(file.as_uri())
        page.wait_for_selector(".card")
        return page

    yield open_page
    assert complaints == []
    assert {url.split(":")[0] for url in requests} <= {"file", "data"}
    for context in contexts:
        context.close()


def names(page: Page) -> list[str]:
    """Return the images on the page, in their order."""
    cards: list[list[Any]] = page.evaluate(
        "[...document.querySelectorAll('#grid li')]"
        ".map(li => [+li.ariaPosInSet, li.querySelector('.card').title])"
    )
    return [name for _, name in sorted(cards)]


def choose(page: Page, select: str, beginning: str) -> None:
    option = page.locator(f"#{select} option").filter(has_text=beginning).first
    page.select_option(f"#{select}", option.get_attribute("value"))


def count(page: Page) -> str:
    return page.locator("#count").inner_text()


def test_names_are_text_and_thumbnails_are_there(
    visit: Callable[..., Page], of_data: Path
) -> None:
    page = visit(of_data)
    assert f"images/{NASTY_NAME}" in names(page)
    assert NASTY in page.locator("#legend").inner_text()
    assert page.locator(".card img").evaluate_all("all => all.every(i => i.naturalWidth > 0)")
    assert page.locator("img[onerror]").count() == 0
    assert "images/broken.png" in str(page.locator("#elsewhere").text_content())


def test_boxes_lie_where_the_labels_say(visit: Callable[..., Page], of_data: Path) -> None:
    page = visit(of_data)
    page.fill("#find", "cam1_01")
    card = page.locator(".card")
    picture, drawing = (card.locator(f".view {part}").bounding_box() for part in ("img", "svg"))
    assert picture == drawing
    view = card.locator("svg")
    assert view.get_attribute("viewBox") == "0 0 120 90"
    box = view.locator(".line").evaluate(
        "path => (b => [b.x, b.y, b.width, b.height])(path.getBBox())"
    )
    assert box == pytest.approx([48, 31.5, 24, 27], abs=0.1)
    page.uncheck("#boxes")
    assert not card.locator(".line").first.is_visible()


def test_it_filters_and_sorts(visit: Callable[..., Page], of_data: Path) -> None:
    page = visit(of_data)
    assert count(page) == "40 of 40 images, 60 objects"
    choose(page, "problem", "with errors")
    assert names(page) == ["images/cam1_07.png"]
    assert page.locator(".badge.error").inner_text() == "1 problem"
    page.click("#reset")
    choose(page, "group", "cam2")
    assert count(page).startswith("13 of 40 images")
    choose(page, "objects", "none")
    assert set(names(page)) == {
        "images/cam2_08.png",
        "images/cam2_20.png",
        "images/cam2_32.png",
    }
    page.click("#reset")
    choose(page, "sort", "most objects")
    assert names(page)[0] == "images/cam0_03.png"
    page.fill("#find", "out of range")
    assert names(page) == ["images/cam1_07.png"]
    page.fill("#find", "no such image")
    assert page.locator("#nothing").is_visible()
    page.click("#reset")
    page.locator("#legend button").first.click()
    assert page.locator("#class").input_value() == "1"


def test_a_run_is_shown_by_batch_and_by_what_was_sent(
    visit: Callable[..., Page], of_run: Path
) -> None:
    page = visit(of_run)
    choose(page, "sent", "iqr")
    assert count(page).startswith("5 of 40 images")
    choose(page, "part", "batch 1")
    assert count(page).startswith("2 of 40 images")
    page.locator(".card").first.click()
    assert "iqr: car, 0.5" in page.locator("#facts").inner_text()
    page.keyboard.press("Escape")
    choose(page, "sent", "true-random")
    assert page.locator("#nothing").is_visible()


def test_one_image_is_shown_large_by_keys(visit: Callable[..., Page], of_data: Path) -> None:
    page = visit(of_data)
    first, second, third = names(page)[:3]
    page.locator(".card").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    name = page.locator("#large-name")
    assert name.inner_text() == second
    page.keyboard.press("ArrowRight")
    assert name.inner_text() == third
    page.wait_for_function(  # the image itself has taken the place of its thumbnail
        "document.querySelector('#frame img').src.endsWith('.png')"
    )
    page.keyboard.press("b")
    assert not page.locator("#frame .line").first.is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#large").is_visible()
    focused = page.evaluate("document.activeElement.title")
    assert focused == third
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.title") == "images/cam2_38.png"
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.title") == first


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen_in_both_themes(
    visit: Callable[..., Page], of_data: Path, width: int
) -> None:
    page = visit(of_data, width)
    room = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    colour = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(colour)
    page.click("#theme")
    assert page.evaluate(colour) != before
    needed, there = page.evaluate(room)
    assert needed <= there
    page.locator(".card").first.click()
    for part in ("#frame", "#facts", "#close"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + min(box["width"], 1) <= width


def processor_s(session: CDPSession) -> float:
    """Return how long a page has kept a processor busy by now."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float({each["name"]: each["value"] for each in metrics}["TaskDuration"])


def test_ten_thousand_images_stay_usable(visit: Callable[..., Page], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0.2, 0.8, (N_MANY, 5, 5))
    images = tuple(
        Shown(
            image_id=f"{i:032x}",
            uri=f"/data/images/day-{i // 100:03d}/frame_{i:06d}.jpg",
            width=640,
            height=480,
            size_bytes=40_000 + i,
            labels=Labels(rng.integers(0, 8, 5), boxes[i, :, :4] * [1, 1, 0.3, 0.3]),
        )
        for i in range(N_MANY)
    )
    classes = tuple(f"class {i}" for i in range(8))
    file = written(Gallery("many", "data set", "/data", classes, images), tmp_path / "many")
    assert file.stat().st_size < MOST_PAGE_BYTES
    page = visit(file)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.reload()
    page.wait_for_selector(".card")
    loaded = processor_s(session)
    assert 0 < loaded < MOST_S
    assert page.locator(".card").count() < 100
    page.locator(".card").first.focus()
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.title").endswith("frame_009999.jpg")
    assert page.locator(".card").count() < 200
    before = processor_s(session)
    choose(page, "sort", "smallest object")
    choose(page, "class", "class 3")
    assert processor_s(session) - before < MOST_S
    assert " of 10,000 images" in count(page)
