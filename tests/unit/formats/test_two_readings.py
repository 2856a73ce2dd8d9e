"""Where a data set can be read in two ways, neither is chosen, and no label is lost."""

import json
import time
from pathlib import Path

import pytest

from backhaul.data.formats import read, sources
from backhaul.data.formats.cocofile import looks_like_coco
from backhaul.data.formats.report import DataReport
from backhaul.data.settings import FolderData
from backhaul.data.source import data_set_digest, place_outside
from tests.nodes import picture

VOC = (
    "<annotation><object><name>{}</name><bndbox><xmin>4</xmin><ymin>4</ymin>"
    "<xmax>8</xmax><ymax>8</ymax></bndbox></object></annotation>"
)


def put(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(number, "PNG"))


def texts(report: DataReport) -> str:
    return "\n".join(map(str, report.problems))


def coco(folder: Path, **annotation: object) -> DataReport:
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **annotation}],
    }
    (folder / "instances_all.json").write_text(json.dumps(content))
    return read(FolderData(root=str(folder)))


def test_labels_that_several_subsets_reach_through_links_are_read(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    for number, subset in enumerate(("train", "val")):
        put(tmp_path / subset / "images" / f"{subset}.png", number)
        (tmp_path / "all" / f"{subset}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
        (tmp_path / subset / "labels").symlink_to(tmp_path / "all")
    (tmp_path / "data.yaml").write_text("train: train/images\nval: val/images\nnames: [car]\n")
    report = read(FolderData(root=str(tmp_path)))
    assert [len(labels) for labels in report.images.table["labels"]] == [1, 1]
    assert texts(report) == ""


def test_two_annotations_of_one_image_that_differ_are_an_error(tmp_path: Path) -> None:
    put(tmp_path / "JPEGImages" / "a.png", 1)
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "JPEGImages" / "a.xml").write_text(VOC.format("cat"))
    (tmp_path / "Annotations" / "a.xml").write_text(VOC.format("dog"))
    data = FolderData(root=str(tmp_path))
    assert "error: which are its labels" in texts(read(data))
    (tmp_path / "Annotations" / "a.xml").write_text(VOC.format("cat"))
    assert not read(data).errors


def test_a_name_that_two_images_have_is_an_error(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 1)
    put(tmp_path / "images" / "a.png", 2)
    report = coco(tmp_path, bbox=[1, 1, 4, 4])
    assert "which image is it about?" in texts(report)
    assert report.errors


@pytest.mark.parametrize("iscrowd", ["0", 0, False, None])
def test_what_is_no_crowd_is_read(tmp_path: Path, iscrowd: object) -> None:
    put(tmp_path / "a.png", 1)
    (labels,) = coco(tmp_path, bbox=[1, 1, 4, 4], iscrowd=iscrowd).images.table["labels"]
    assert len(labels) == 1


def test_a_box_that_is_a_text_is_an_error(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 1)
    assert coco(tmp_path, bbox="1234").errors


def test_a_json_of_backslashes_is_looked_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"images" "annotations" "categories" "' + '\\"' * 200_000)
    before = time.process_time()
    assert not looks_like_coco(str(path))
    assert time.process_time() - before < 5


def test_a_fingerprint_asks_for_what_is_read_alone(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 1)
    coco(tmp_path, bbox=[1, 1, 4, 4])
    (tmp_path / "data.yaml").write_text("names: [car]\nkpt_shape: [4, 2]\n")
    found = sources(FolderData(root=str(tmp_path), format="coco"))
    assert any(path.endswith("a.png") for path in found)


def test_a_way_with_dots_leads_to_the_same_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "cars" / "images" / "a.png", 1)
    (tmp_path / "cars" / "labels").mkdir()
    (tmp_path / "cars" / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "cars" / "data.yaml").write_text("train: images\nval: images\nnames: [car]\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    digests = set()
    for root in ("../cars", str(tmp_path / "cars")):
        data = FolderData(root=root)
        place = place_outside(data, str(tmp_path / "work"))
        assert place is not None
        digests.add(data_set_digest(read(data).images, place))
    assert len(digests) == 1
