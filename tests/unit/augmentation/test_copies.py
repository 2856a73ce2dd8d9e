import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from backhaul.arrays import FloatArray
from backhaul.code import UserCode
from backhaul.data.formats import yolo
from backhaul.data.formats.files import scan
from backhaul.errors import InputError
from backhaul.geometry import xywhn_to_xyxy
from backhaul.learn.augmentation import Plan, make_copies, transforms
from backhaul.learn.augmentation.copies import read_rgb
from backhaul.learn.augmentation.transforms import Picture, Transformer
from backhaul.learn.settings import Augmentation
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

CLASSES = ("cat", "dog", "owl")
BOXES = np.array(
    [[0, 0.5, 0.5, 0.25, 0.25], [1, 0.2, 0.15, 0.2, 0.2], [2, 0.85, 0.8, 0.3, 0.4]]
)

SOURCE = """
import albumentations as A

def nothing():
    return A.NoOp(p=1)

def mirror(p):
    return A.Compose([A.HorizontalFlip(p=p)], bbox_params=A.BboxParams(format="coco"))

def away():
    return A.Compose([A.Affine(translate_percent=(0.8, 0.8), p=1)])

def floats():
    return A.Normalize()

def no_pipeline():
    return [A.NoOp()]
"""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


LABELS = Labels.from_rows(BOXES)


def paint(boxes: FloatArray, height: int = 96, width: int = 128) -> Any:
    """Paint box i into channel i, in full red, green and blue."""
    rgb = np.full((height, width, 3), 40, dtype=np.uint8)
    for i, box in enumerate(xywhn_to_xyxy(boxes[:, 1:], width, height).round().astype(int)):
        rgb[box[1] : box[3], box[0] : box[2]] = np.eye(3, dtype=np.uint8)[i] * 255
    return rgb


@pytest.fixture
def images(tmp_path: Path) -> ImageSet:
    rows = []
    for i, (suffix, boxes) in enumerate(
        [(".png", BOXES), (".JPG", BOXES), (".bmp", BOXES[:0])]
    ):
        path = tmp_path / f"photo{i}{suffix}"
        cv2.imwrite(str(path), cv2.cvtColor(paint(boxes), cv2.COLOR_RGB2BGR))
        size = path.stat().st_size
        rows.append(
            (
                f"img-{i}",
                str(path),
                128,
                96,
                size,
                "scene",
                Labels.from_rows(boxes),
                "crowd",
                None,
            )
        )
    table = pd.DataFrame(rows, columns=list(IMAGE_COLUMNS))
    return ImageSet(table, CLASSES)


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "my_pipelines.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_pipelines", raising=False)
    return lambda name, **params: Augmentation(
        pipeline=UserCode(use=f"my_pipelines:{name}", params=params)
    )


def folder(tmp_path: Path, name: str = "copies") -> Path:
    path = tmp_path / name
    path.mkdir()
    return path


def ordered(copies: tuple[tuple[str, int], ...]) -> Plan:
    return Plan(copies, target=1, before=(1, 1, 1), after=(1, 1, 1))


EACH = ordered((("img-0", 3), ("img-1", 3), ("img-2", 2)))


def test_defect_21_a_data_set_of_copies_is_read_back(images: ImageSet, tmp_path: Path) -> None:
    copies = make_copies(images, EACH, Augmentation(major=True), folder(tmp_path), rng())
    yolo.write(folder(tmp_path, "written"), copies)
    report = yolo.read(scan(tmp_path / "written"))
    assert [str(problem) for problem in report.problems if problem.severity == "error"] == []
    read = dict(
        zip(report.images.table["size_bytes"], report.images.table["labels"], strict=True)
    )
    assert len(report.images) == len(copies)
    for size, labels in zip(copies.table["size_bytes"], copies.table["labels"], strict=True):
        np.testing.assert_allclose(read[size].rows(), labels.rows(), atol=1e-9)


@pytest.mark.parametrize("major", [False, True])
def test_defect_21_copies_are_read_as_they_were_written(
    images: ImageSet, tmp_path: Path, major: bool
) -> None:
    copies = make_copies(images, EACH, Augmentation(major=major), folder(tmp_path), rng())
    assert copies.table["copy_of"].tolist() == ["img-0"] * 3 + ["img-1"] * 3 + ["img-2"] * 2
    assert copies.class_names == CLASSES
    for row in copies.table.itertuples():
        rgb = read_rgb(str(row.uri))
        assert rgb.shape == (row.height, row.width, 3)
        assert Path(str(row.uri)).stat().st_size == row.size_bytes
        assert (row.label_source, row.group) == ("crowd", "scene")
        labels = row.labels
        assert isinstance(labels, Labels)
        assert len(labels) == (0 if row.copy_of == "img-2" else 3)
        corners = labels.xyxy(1, 1)
        assert ((corners > -1e-9) & (corners < 1 + 1e-9)).all()
        assert labels.class_id.tolist() == sorted(labels.class_id.tolist())
    suffixes = [Path(uri).suffix for uri in copies.table["uri"]]
    assert suffixes == [".png"] * 3 + [".jpg"] * 3 + [".png"] * 2


def test_originals_are_untouched(images: ImageSet, tmp_path: Path) -> None:
    before = {uri: Path(uri).read_bytes() for uri in images.table["uri"]}
    make_copies(images, EACH, Augmentation(major=True), folder(tmp_path), rng())
    assert {uri: Path(uri).read_bytes() for uri in before} == before


def test_workers_and_other_copies_do_not_change_a_copy(
    images: ImageSet, tmp_path: Path
) -> None:
    settings = Augmentation(major=True)
    one = make_copies(images, EACH, settings, folder(tmp_path, "1"), rng(4), workers=1)
    many = make_copies(images, EACH, settings, folder(tmp_path, "4"), rng(4), workers=4)
    few = make_copies(images, ordered((("img-1", 2),)), settings, folder(tmp_path, "f"), rng(4))
    other = make_copies(images, EACH, settings, folder(tmp_path, "o"), rng(5))
    assert one.ids == many.ids
    assert few.ids == one.ids[3:5]
    assert not set(one.ids) & set(other.ids)
    for a, b in zip(one.table["uri"], many.table["uri"], strict=True):
        assert Path(a).read_bytes() == Path(b).read_bytes()


def test_progress_counts_copies(images: ImageSet, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    target = folder(tmp_path)
    make_copies(images, EACH, Augmentation(), target, rng(), lambda *done: calls.append(done))
    assert calls == [(i, 8) for i in range(1, 9)]
    assert len(make_copies(images, ordered(()), Augmentation(), target, rng())) == 0


def pixels_move(settings: Augmentation) -> float:
    """Return the fraction of copies whose boxes are not where they were."""
    transformer = Transformer(settings)
    copies = [transformer.draw(Picture(paint(BOXES), LABELS), rng(seed)) for seed in range(40)]
    moved = [not np.allclose(copy.labels.rows(), BOXES, atol=1e-5) for copy in copies]
    return float(np.mean(moved))


def test_defect_22_the_switch_for_major_transformations_is_read() -> None:
    assert pixels_move(Augmentation(major=False, flip="none")) == 0
    assert pixels_move(Augmentation(major=True, flip="none")) > 0.75
    assert 0 < pixels_move(Augmentation(major=False, flip="horizontal")) < 0.5


def test_defect_23_channels_keep_their_order(
    images: ImageSet, tmp_path: Path, user: Any
) -> None:
    copies = make_copies(images, EACH, user("nothing"), folder(tmp_path), rng())
    for row in copies.table.itertuples():
        rgb = read_rgb(str(row.uri)).astype(int)
        original = read_rgb(images.take([str(row.copy_of)]).table["uri"].iloc[0])
        assert np.abs(rgb - original).mean() < 2
        if row.copy_of == "img-0":
            np.testing.assert_array_equal(rgb, paint(BOXES))


def test_every_copy_differs_from_its_original_and_most_from_each_other() -> None:
    transformer = Transformer(Augmentation())
    original = Picture(paint(BOXES), LABELS)
    copies = [transformer.draw(original, rng(seed)).rgb for seed in range(30)]
    assert all(not np.array_equal(copy, original.rgb) for copy in copies)
    assert len({copy.tobytes() for copy in copies}) > 20


def test_boxes_follow_the_objects_and_stay_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms, "minor_transforms", lambda _: [])
    transformer = Transformer(Augmentation(major=True, min_visibility=0.9))
    picture = Picture(paint(BOXES), LABELS)
    for seed in range(60):
        copy = transformer.draw(picture, rng(seed))
        height, width = copy.rgb.shape[:2]
        assert copy.labels.class_id.tolist() == [0, 1, 2]
        for i, box in enumerate(copy.labels.xyxy(width, height)):
            painted = copy.rgb[:, :, i].astype(int) - copy.rgb[:, :, i - 1] > 100
            ys, xs = np.nonzero(painted)
            area = 128 * 96 * BOXES[i, 3] * BOXES[i, 4]
            assert painted.sum() > 0.6 * area
            seen = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
            assert (box[:2] <= seen[:2] + 2).all()
            assert (box[2:] >= seen[2:] - 2).all()
            assert np.prod(box[2:] - box[:2]) < 2 * np.prod(seen[2:] - seen[:2])


def test_a_pipeline_that_hides_boxes_gives_way_to_minor_transformations(user: Any) -> None:
    transformer = Transformer(user("away"))
    copy = transformer.draw(Picture(paint(BOXES), LABELS), rng())
    assert len(copy.labels) == 3
    assert copy.rgb.shape == (96, 128, 3)


def test_a_users_pipeline_gets_its_params(user: Any) -> None:
    copy = Transformer(user("mirror", p=1.0)).draw(Picture(paint(BOXES), LABELS), rng())
    np.testing.assert_array_equal(copy.rgb, paint(BOXES)[:, ::-1])
    np.testing.assert_allclose(copy.labels.xywhn[:, 0], 1 - BOXES[:, 1], atol=1e-6)


def test_a_users_pipeline_must_be_one(user: Any) -> None:
    with pytest.raises(InputError, match=r"augmentation\.pipeline: expected an albumentations"):
        Transformer(user("no_pipeline"))
    with pytest.raises(
        InputError, match=r"augmentation\.pipeline: expected an 8-bit RGB image"
    ):
        Transformer(user("floats")).draw(Picture(paint(BOXES), LABELS), rng())


def test_an_unreadable_original_is_named(images: ImageSet, tmp_path: Path) -> None:
    broken = tmp_path / "photo0.png"
    broken.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"photo0\.png: expected a readable image"):
        make_copies(images, EACH, Augmentation(), folder(tmp_path), rng())
    assert broken.read_bytes() == b"no image"


def test_it_imports_no_pytorch_and_asks_the_network_for_no_version() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*args, **kwargs): raise SystemExit('opened a connection')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from backhaul.learn.augmentation.transforms import minor_transforms\n"
        "minor_transforms('none')\n"
        "if 'torch' in sys.modules: raise SystemExit('imported PyTorch')\n"
        "import albumentations\n"
        "from albumentations.pytorch import ToTensorV2\n"
        "assert albumentations.ToTensorV2 is ToTensorV2\n"
    )
    env = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-W", "error", "-c", program]
    assert subprocess.run(command, env=env, check=False).returncode == 0
