"""Cutting objects out, against plain slicing and counting of pixels.

Defect 13 cannot occur here: crops carry their labels with them, no path is made out of another.
Defect 17 cannot occur here: an image that cannot be read is an error, and nothing is deleted.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from backhaul.code import UserCode
from backhaul.data.images import probe
from backhaul.errors import InputError
from backhaul.geometry import pairwise_iou, whole_pixels
from backhaul.learn.cropping import (
    CROP_COLUMNS,
    OBJECT_COLUMNS,
    choose_cuts,
    cut,
    isolated,
)
from backhaul.learn.settings import Cropping
from backhaul.values.detections import FUSED_COLUMNS, XYXY, FusedDetections
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels, labels_inside

CLASSES = ("cat", "dog")
SMALL = Cropping(min_side_px=1)
SIZE = (96, 64)


def write_noise(folder: Path, name: str, seed: int = 0) -> tuple[Path, npt.NDArray[Any]]:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    path = folder / name
    assert cv2.imwrite(str(path), pixels)
    return path, pixels


def image_set(*paths: Path, group: str | None = None, **labels: Any) -> ImageSet:
    """The images, with labels by the stem of their names."""
    rows = []
    for path in paths:
        file = probe(str(path))
        boxes = labels.get(path.stem)
        source = None if boxes is None else "crowd"
        rows.append(
            (
                path.stem,
                str(path),
                file.width,
                file.height,
                file.size_bytes,
                group,
                boxes,
                source,
                None,
            )
        )
    return ImageSet(pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)), CLASSES)


def seen(*rows: tuple[Any, ...]) -> FusedDetections:
    """Detections: image_id, class_id, confidence, corners."""
    whole = [(i, c, conf, 0.0, 1, *box) for i, c, conf, *box in rows]
    return FusedDetections.from_table(pd.DataFrame(whole, columns=list(FUSED_COLUMNS)))


def corners(table: pd.DataFrame) -> list[list[float]]:
    return table[list(XYXY)].to_numpy().tolist()


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], UserCode]:
    """Code of a user's: a function `boxes` with this body."""
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def write(body: str) -> UserCode:
        source = f"def boxes(path, detections, **params):\n    {body}\n"
        (folder / "my_crops.py").write_text(source)
        monkeypatch.delitem(sys.modules, "my_crops", raising=False)
        return UserCode(use="my_crops:boxes", params={"side": 8})

    return write


def test_objects_that_overlap_no_other_are_cut_out(tmp_path: Path) -> None:
    path, _ = write_noise(tmp_path, "a.png")
    found = seen(
        ("a", 0, 0.9, 0, 0, 20, 20),
        ("a", 1, 0.8, 19, 19, 30, 30),  # one pixel in common with the first
        ("a", 1, 0.7, 30, 19, 50, 30),  # only touches the second
        ("a", 0, 0.6, 60, 40, 80, 60),
        ("a", 0, 0.2, 61, 41, 79, 59),  # not confident enough to count
    )
    table = choose_cuts(image_set(path), found, SMALL)
    assert corners(table) == [[30, 19, 50, 30], [60, 40, 80, 60]]
    assert table["detected"].tolist() == ["dog", "cat"]
    assert table["confidence"].tolist() == [0.7, 0.6]
    all_count = SMALL.model_copy(update={"conf_thres": 0.2})
    assert corners(choose_cuts(image_set(path), found, all_count)) == [[30, 19, 50, 30]]


def test_a_crop_has_a_margin_ends_at_the_edge_and_is_not_too_small(tmp_path: Path) -> None:
    path, _ = write_noise(tmp_path, "a.png")
    found = seen(
        ("a", 0, 0.9, -2.0, 10.2, 18, 30.4),
        ("a", 0, 0.9, 70, 50, 100, 63),
        ("a", 0, 0.9, 40, 40, 50, 44),
    )
    with_margin = Cropping(min_side_px=6, margin=0.25)
    table = choose_cuts(image_set(path), found, with_margin)
    assert corners(table) == [[0, 5, 23, 35], [62, 47, 96, 64], [38, 39, 52, 45]]
    large = with_margin.model_copy(update={"min_side_px": 7})
    assert corners(choose_cuts(image_set(path), found, large)) == corners(table)[:2]


boxes_px = st.lists(
    st.tuples(*[st.floats(-5, 100), st.floats(-5, 70), st.floats(0, 40), st.floats(0, 40)]),
    max_size=12,
).map(lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows]).reshape(-1, 4))


@given(xyxy=boxes_px)
def test_crops_never_overlap_and_lie_inside(xyxy: npt.NDArray[np.float64]) -> None:
    objects = pd.DataFrame(xyxy, columns=list(XYXY))
    pixels = whole_pixels(isolated(objects), 0.0, *SIZE)
    covered = np.zeros((SIZE[1], SIZE[0]), dtype=int)
    for x1, y1, x2, y2 in pixels.astype(int).tolist():
        assert 0 <= x1 <= x2 <= SIZE[0]
        assert 0 <= y1 <= y2 <= SIZE[1]
        covered[y1:y2, x1:x2] += 1
    assert covered.max() <= 1


@given(xyxy=boxes_px)
def test_what_is_left_out_overlaps_another(xyxy: npt.NDArray[np.float64]) -> None:
    alone = {tuple(box) for box in isolated(pd.DataFrame(xyxy, columns=list(XYXY)))}
    for i, box in enumerate(xyxy):
        others = np.delete(xyxy, i, axis=0)
        overlaps = pairwise_iou(box[None], others).max(initial=0.0) > 0
        assert overlaps == (tuple(box) not in alone)


@given(xyxy=boxes_px, margin=st.floats(0, 3))
def test_a_margin_only_widens_and_stays_inside(
    xyxy: npt.NDArray[np.float64], margin: float
) -> None:
    wide, tight = whole_pixels(xyxy, margin, *SIZE), whole_pixels(xyxy, 0.0, *SIZE)
    assert (wide[:, :2] <= tight[:, :2]).all()
    assert (wide[:, 2:] >= tight[:, 2:]).all()
    assert ((wide >= 0) & (wide <= [*SIZE, *SIZE])).all()


whole_boxes = st.tuples(
    st.integers(0, SIZE[0] - 1),
    st.integers(0, SIZE[1] - 1),
    st.integers(1, 60),
    st.integers(1, 60),
).map(lambda b: (b[0], b[1], min(b[0] + b[2], SIZE[0]), min(b[1] + b[3], SIZE[1])))


def normalised(xyxy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    w, h = SIZE
    x1, y1, x2, y2 = xyxy.T
    return np.column_stack(
        [
            np.zeros(len(xyxy)),
            (x1 + x2) / 2 / w,
            (y1 + y2) / 2 / h,
            (x2 - x1) / w,
            (y2 - y1) / h,
        ]
    )


@given(
    boxes=st.lists(whole_boxes, min_size=1, max_size=6),
    crop=whole_boxes,
    percent=st.integers(0, 100),
)
@example(boxes=[(9, 0, 23, 1)], crop=(9, 0, 23, 1), percent=100)  # rounded, and yet whole
def test_a_true_box_goes_with_the_crop_that_shows_enough_of_it(
    boxes: list[tuple[int, ...]], crop: tuple[int, ...], percent: int
) -> None:
    """Against counting pixels of a mask; boxes right at the limit may go either way."""
    corners_px = np.array(boxes, dtype=float)
    labels = Labels.from_xyxy(np.arange(len(boxes)), corners_px, *SIZE)
    inside = labels_inside(labels, np.array(crop, dtype=float), SIZE, percent / 100)
    cx1, cy1, cx2, cy2 = crop
    expected: dict[int, npt.NDArray[np.float64]] = {}
    at_limit = set()
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        mask = np.zeros((SIZE[1], SIZE[0]), dtype=bool)
        mask[y1:y2, x1:x2] = True
        rows, columns = np.nonzero(mask[cy1:cy2, cx1:cx2])
        if len(rows) and len(rows) * 100 == percent * mask.sum() and percent < 100:
            at_limit.add(i)
        if len(rows) and len(rows) * 100 >= percent * mask.sum():
            edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            expected[i] = np.array(edges, dtype=float)
    kept = inside.class_id.tolist()
    assert kept == sorted(kept)
    assert set(kept) - at_limit == set(expected) - at_limit
    pixels = inside.xyxy(cx2 - cx1, cy2 - cy1)
    for i, box in zip(kept, pixels, strict=True):
        np.testing.assert_allclose(box, expected[i], atol=1e-9)
    unit = inside.xyxy(1, 1)
    assert ((unit >= -1e-12) & (unit <= 1 + 1e-12)).all()


def test_a_whole_image_as_its_own_crop_keeps_all_its_labels() -> None:
    labels = Labels.from_rows([[0, 0.05, 0.9, 0.1, 0.2], [1, 1 / 3, 1 / 3, 2 / 3, 2 / 3]])
    whole = labels_inside(labels, np.array([0.0, 0, *SIZE]), SIZE, 1.0)
    np.testing.assert_allclose(whole.rows(), labels.rows(), atol=1e-12)


def test_crops_are_the_pixels_of_a_plain_slice(tmp_path: Path) -> None:
    paths, pixels = zip(
        *(write_noise(tmp_path, f"{n}.png", i) for i, n in enumerate("abc")), strict=True
    )
    rows = [(n, 0, 0.9, x, y, x + 20, y + 12) for n in "cab" for x, y in ((3, 5), (40, 30))]
    images = image_set(*paths, a=Labels.empty())
    out = tmp_path / "out"
    out.mkdir()
    counted: list[tuple[int, int]] = []
    cuts = choose_cuts(images, seen(*rows), SMALL)
    crops = cut(images, cuts, 0.5, out, on_progress=lambda *n: counted.append(n))
    assert tuple(crops.table.columns) == CROP_COLUMNS
    assert crops.table["source_id"].tolist() == ["a", "a", "b", "b", "c", "c"]
    row: Any
    origin: Any
    for row, origin in zip(
        crops.images.table.itertuples(), crops.table.itertuples(), strict=True
    ):
        of = pixels["abc".index(origin.source_id)]
        expected = of[origin.y1 : origin.y2, origin.x1 : origin.x2]
        made_of = cv2.imread(row.uri)
        assert made_of is not None
        assert np.array_equal(made_of, expected)
        file = probe(row.uri)
        assert (row.image_id, row.width, row.height) == (file.image_id, 20, 12)
        assert row.size_bytes == file.size_bytes == Path(row.uri).stat().st_size
        assert row.group == origin.source_id
        assert row.copy_of is None
    labels = list(crops.images.table["labels"])
    assert [None if boxes is None else len(boxes) for boxes in labels] == [0, 0, *[None] * 4]
    sources = crops.images.table["label_source"].fillna("nobody").tolist()
    assert sources == ["crowd"] * 2 + ["nobody"] * 4
    assert counted == [(1, 3), (2, 3), (3, 3)]


def test_a_crop_of_a_turned_image_shows_what_a_viewer_shows(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    path = tmp_path / "a.jpg"
    Image.fromarray(stored).save(path, exif=exif, quality=95)
    displayed = np.rot90(np.asarray(Image.open(path)), -1)
    images = image_set(path)
    assert displayed.shape[:2] == (images.table["height"][0], images.table["width"][0])
    cuts = choose_cuts(images, seen(("a", 0, 0.9, 10, 70, 40, 90)), SMALL)
    (uri,) = cut(images, cuts, 0.5, tmp_path).images.table["uri"]
    shown = np.asarray(Image.open(uri)).astype(int)
    assert np.abs(shown - displayed[70:90, 10:40]).max() <= 3  # two decoders of JPEG


def test_crops_of_one_scene_stay_in_its_group(tmp_path: Path) -> None:
    path, _ = write_noise(tmp_path, "a.png")
    images = image_set(path, group="night-1")
    cuts = choose_cuts(images, seen(("a", 0, 0.9, 10, 10, 40, 40)), SMALL)
    assert cut(images, cuts, 0.5, tmp_path).images.table["group"].tolist() == ["night-1"]


def test_crops_with_the_same_content_are_kept_once(tmp_path: Path) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        cv2.imwrite(str(path), np.full((SIZE[1], SIZE[0], 3), 7, np.uint8))
    images = image_set(*paths)
    rows = [(name, 0, 0.9, x, 0, x + 16, 16) for name in "ab" for x in (0, 30)]
    cuts = choose_cuts(images, seen(*rows, ("b", 0, 0.9, 60, 0, 80, 16)), SMALL)
    crops = cut(images, cuts, 0.5, tmp_path)
    assert corners(crops.table) == [[0, 0, 16, 16], [60, 0, 80, 16]]
    again = cut(images, cuts, 0.5, tmp_path, {crops.images.ids[0]})
    assert again.images.ids == crops.images.ids[1:]


def test_nothing_detected_gives_no_crops(tmp_path: Path) -> None:
    path, _ = write_noise(tmp_path, "a.png")
    images = image_set(path)
    cuts = choose_cuts(images, seen(), SMALL)
    assert len(cuts) == 0
    assert len(cut(images, cuts, 0.5, tmp_path).images) == 0


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path, _ = write_noise(tmp_path, "a.png")
    images = image_set(path)
    cuts = choose_cuts(images, seen(("a", 0, 0.9, 10, 10, 40, 40)), SMALL)
    path.write_bytes(b"gone")
    with pytest.raises(InputError, match=r"a\.png: expected a readable image"):
        cut(images, cuts, 0.5, tmp_path)
    assert path.read_bytes() == b"gone"


def test_a_function_says_what_is_cut_out(
    tmp_path: Path, user: Callable[[str], UserCode]
) -> None:
    path, _ = write_noise(tmp_path, "a.png")
    body = (
        "assert path.name == 'a.png' and len(detections) == 2, detections; "
        f"assert tuple(detections.columns) == {OBJECT_COLUMNS}; "
        "detections['x2'] = 0; "
        "return [(0, 0, params['side'], 8), (50.4, 50, 200, 60.6), (10, 10, 30, 30)]"
    )
    settings = Cropping(function=user(body), min_side_px=5)
    found = seen(
        ("a", 0, 0.9, 10, 10, 30, 30),
        ("a", 1, 0.8, 11, 11, 31, 31),
        ("a", 1, 0.1, 0, 0, 8, 8),
    )
    table = choose_cuts(image_set(path), found, settings)
    assert corners(table) == [[0, 0, 8, 8], [50, 50, 96, 61], [10, 10, 30, 30]]
    assert table["detected"].fillna("nothing").tolist() == ["nothing", "nothing", "cat"]
    assert table["confidence"].isna().tolist() == [True, True, False]
    nothing = Cropping(function=user("return []"))
    assert len(choose_cuts(image_set(path), found, nothing)) == 0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("None", r"expected boxes as an array of shape \(n, 4\), got None"),
        ("'all'", r"expected boxes as an array of shape \(n, 4\), got 'all'"),
        ("[1, 2, 3, 4]", r"expected boxes as an array of shape \(n, 4\), got \[1, 2, 3, 4\]"),
        ("[[1, 2, 3]]", r"expected boxes as an array of shape \(n, 4\), got \[\[1, 2, 3\]\]"),
        (
            "[[1, 2, 3, 4], [5, 6, 5, 9]]",
            r"box 1 is \(5, 6, 5, 9\); expected finite pixels .* inside the image of 96 x 64$",
        ),
        ("[[1, 2, float('nan'), 4]]", r"box 0 is \(1, 2, nan, 4\); expected finite"),
        ("[[1, 2, float('inf'), 4]]", r"box 0 is \(1, 2, inf, 4\); expected finite"),
        ("[[100, 2, 120, 4]]", r"box 0 is \(100, 2, 120, 4\); expected finite"),
    ],
)
def test_a_wrong_box_of_a_function_is_said_with_its_name(
    answer: str, reason: str, tmp_path: Path, user: Callable[[str], UserCode]
) -> None:
    path, _ = write_noise(tmp_path, "a.png")
    settings = Cropping(function=user(f"return {answer}"))
    with pytest.raises(InputError, match=rf"^my_crops:boxes: .*a\.png: {reason}"):
        choose_cuts(image_set(path), seen(), settings)


def test_what_is_no_function_is_refused_with_the_config() -> None:
    with pytest.raises(ValidationError, match="math:pi: expected a function"):
        Cropping.model_validate({"batches": "first", "function": "math:pi"})
