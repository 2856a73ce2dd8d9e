"""What a page of thumbnails is written of, and where; what it does is tried in a browser."""

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from backhaul.cli.commands import app
from backhaul.data.formats import read
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.report.gallery import gallery_of_data_set, view_folder, write_gallery
from backhaul.report.gallery.page import SCRIPTS
from backhaul.report.gallery.place import MARKER
from backhaul.report.gallery.thumbnails import SIDE_PX

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \"q\" 'p'"
STORE = Path(__file__).parents[2] / "store" / "store-1.tar.xz"
HELD_OUT = "held out for the common test set"
IMAGE = "a <b> & 'c' früh.png"


def picture(path: Path, colour: int, size: tuple[int, int] = (400, 200)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (colour, 90, 40)).save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three images, one of them with a wrong label, and one that is broken."""
    root = tmp_path / "cars"
    for colour, name in enumerate((IMAGE, "wrong.png", "bare.png")):
        picture(root / "images" / name, 60 * colour)
    (root / "images" / "broken.jpg").write_bytes(b"\xff\xd8\xff and no more")
    labels = root / "labels"
    labels.mkdir()
    stem = IMAGE.removesuffix(".png")
    (labels / f"{stem}.txt").write_text("0 0.5 0.5 0.5 0.5\n1 .1 .2 .2 .4")
    (labels / "wrong.txt").write_text("0 0.5 0.5 0.5 0.5\n7 0.5 0.5 0.1 0.1\n")
    (labels / "bare.txt").write_text("")
    (root / "data.yaml").write_text(json.dumps({"names": ["car", NASTY]}))
    return root


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def content(page: Path) -> Any:
    found = re.search(r'id="content">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def view(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["data", "view", *arguments])


def files_of(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_it_has_every_image_with_boxes_and_problems(data: Path, here: Path) -> None:
    before = files_of(data)
    ended = view(str(data))
    page = here / "cars-view" / "index.html"
    assert (ended.exit_code, files_of(data)) == (0, before)
    assert ended.output.strip().endswith(f"{page}: 3 images, 3 objects, 2 problems")
    rows = {row[0]: row for row in content(page)["images"]}
    assert set(rows) == {f"images/{IMAGE}", "images/wrong.png", "images/bare.png"}
    assert rows[f"images/{IMAGE}"][5] == [0, 2500, 2500, 5000, 5000, 1, 0, 0, 2000, 4000]
    assert rows["images/bare.png"][5] == []
    ((severity, place, reason),) = rows["images/wrong.png"][10]
    assert (severity, place) == ("error", "labels/wrong.txt:2")
    assert reason == "class 7 is out of range 0..1"
    assert '<td class="words">images/broken.jpg</td>' in page.read_text()
    for row in rows.values():
        with Image.open(page.parent / "thumbnails" / row[1]) as small:
            assert small.size == (SIDE_PX, SIDE_PX // 2)
            assert small.format == "JPEG"


def test_places_are_below_the_folder_however_the_way_to_it_was_written(
    data: Path, here: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "cars").symlink_to(data)
    (here / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    roots = {
        str(data): data,
        "../cars": data,
        "../here/.././cars/": data,
        "link/../cars": data,  # through the link, not beside it
        "../elsewhere/cars": tmp_path / "elsewhere" / "cars",
    }
    for number, (place, root) in enumerate(roots.items()):
        assert view(place, "--out", f"view-{number}").exit_code == 0
        told = content(here / f"view-{number}" / "index.html")
        assert told["root"] == f"{root.as_uri()}/"
        assert {row[0].partition("/")[0] for row in told["images"]} == {"images"}


def test_no_name_becomes_markup_and_nothing_is_asked_of_others(data: Path, here: Path) -> None:
    assert view(str(data)).exit_code == 0
    text = (here / "cars-view" / "index.html").read_text()
    assert content(here / "cars-view" / "index.html")["classes"] == ["car", NASTY]
    assert text.count("<script") == 1 + len(SCRIPTS)
    assert "<b>" not in text
    assert "<img" not in text
    assert "http" not in text.replace("http-equiv", "").replace(
        "http://www.w3.org/2000/svg", ""
    )


def test_a_run_comes_by_batch_and_by_what_was_sent(here: Path, tmp_path: Path) -> None:
    with tarfile.open(STORE) as packed:
        packed.extractall(tmp_path, filter="data")
    run = tmp_path / "store" / "runs" / "finished"
    assert view(str(run)).exit_code == 0
    found = content(here / "finished-view" / "index.html")
    parts = [found["parts"][row[8]] for row in found["images"]]
    initial = [f"initial set, {part}" for part in ("train", "valid", "test")]
    assert parts[:6] == [*[initial[0]] * 3, *[initial[1]] * 2, initial[2]]
    assert parts[6:] == [*["batch 0"] * 4, *["batch 1"] * 4, *[HELD_OUT] * 4]
    sent = [row for row in found["images"] if row[9]]
    assert found["methods"] == ["iqr"]
    assert [found["parts"][row[8]] for row in sent] == [*["batch 0"] * 2, *["batch 1"] * 2]
    assert all(row[5] is not None for row in found["images"])
    inside = view(str(run), "--out", str(run / "x"))
    assert "nothing is written into" in str(inside.exception)


def test_outlines_and_groups_are_kept(tmp_path: Path) -> None:
    root = tmp_path / "outlined"
    picture(root / "images" / "cam1_a.png", 1)
    picture(root / "images" / "cam2_b.png", 2)
    (root / "annotations").mkdir()
    coco = {
        "images": [
            {"id": i, "file_name": n, "width": 400, "height": 200}
            for i, n in enumerate(("cam1_a.png", "cam2_b.png"))
        ],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [0, 0, 40, 20]}],
    }
    (root / "annotations" / "instances_all.json").write_text(json.dumps(coco))
    report = read(FolderData(root=root, group_pattern="(cam[0-9])"))
    gallery = gallery_of_data_set(report, "outlined", root.as_posix())
    page = write_gallery(gallery, tmp_path / "out", None, lambda done, total: None)
    found = content(page)
    assert found["groups"] == ["cam1", "cam2"]
    assert [row[7] for row in found["images"]] == [0, 1]


def test_a_second_view_replaces_the_first_and_keeps_what_is_right(
    data: Path, here: Path
) -> None:
    assert view(str(data)).exit_code == 0
    folder = here / "cars-view"
    (folder / "notes.txt").write_text("mine")
    before = files_of(folder / "thumbnails")
    (data / "images" / "bare.png").unlink()
    assert view(str(data)).exit_code == 0
    after = files_of(folder / "thumbnails")
    assert len([path for path in before if path.suffix == ".jpg"]) == 3
    assert len([path for path in after if path.suffix == ".jpg"]) == 2
    assert all(before[path] == time for path, time in after.items() if path.suffix == ".jpg")
    assert (folder / "notes.txt").read_text() == "mine"
    assert len(content(folder / "index.html")["images"]) == 2


@pytest.mark.parametrize("marker", [None, "[]", "{", '{"type": "mine"}'])
def test_what_is_not_a_view_is_left_alone(data: Path, here: Path, marker: str | None) -> None:
    folder = here / "cars-view"
    folder.mkdir()
    (folder / "index.html").write_text("mine")
    if marker is not None:
        (folder / MARKER).write_text(marker)
    with pytest.raises(InputError, match="holds other files than an earlier view"):
        view_folder(folder, ())
    assert view(str(data)).exit_code != 0
    assert (folder / "index.html").read_text() == "mine"


@pytest.mark.parametrize("below", ["", "view", "a/b"])
def test_nothing_is_written_into_the_data(data: Path, below: str, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(data)
    for root in (data, link):
        with pytest.raises(InputError, match="nothing is written into"):
            view_folder(root / below, (str(data),))


def test_a_link_in_the_place_of_thumbnails_is_not_followed(data: Path, here: Path) -> None:
    assert view(str(data)).exit_code == 0
    elsewhere = here / "elsewhere"
    (here / "cars-view" / "thumbnails").rename(elsewhere)
    (here / "cars-view" / "thumbnails").symlink_to(elsewhere)
    with pytest.raises(InputError, match="is a link"):
        view_folder(here / "cars-view", ())


def test_what_is_neither_is_named(here: Path) -> None:
    ended = view("nothing")
    assert isinstance(ended.exception, InputError)
    assert str(ended.exception) == "nothing: no folder there, and no run of that name"
