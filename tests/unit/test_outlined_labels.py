"""Labels that are outlines, where labels are read, stored and written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backhaul.data.formats.conversion import losses
from backhaul.data.images import ImageFile
from backhaul.inbox.labels import read_labels
from backhaul.storage.digests import table_digest
from backhaul.storage.parquet import from_arrow, to_arrow
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

TRIANGLE = "1 0.2 0.1 0.6 0.3 0.4 0.9\n"
IMAGE = ImageFile("cam/a.jpg", "0" * 32, 64, 48, 1000)


def images(labels: Labels | None) -> ImageSet:
    row = ("0" * 32, "/data/a.png", 64, 48, 1000, None, labels, "dataset", None)
    columns = {
        name: pd.Series([v], dtype=object) for name, v in zip(IMAGE_COLUMNS, row, strict=True)
    }
    return ImageSet(pd.DataFrame(columns), ("a", "b"))


@pytest.fixture
def outlined(tmp_path: Path) -> Labels:
    (tmp_path / "a.txt").write_text(f"0 0.5 0.5 0.25 0.5\n{TRIANGLE}")
    labels, problems = read_labels(str(tmp_path / "a.txt"), IMAGE, 2)
    assert problems == []
    assert labels is not None
    return labels


def test_an_annotator_may_draw_outlines(outlined: Labels) -> None:
    np.testing.assert_allclose(outlined.rows()[1], [1, 0.4, 0.5, 0.4, 0.8])
    assert outlined.polygons is not None
    assert outlined.polygons[0] is None
    assert outlined.polygons[1] is not None
    np.testing.assert_allclose(outlined.polygons[1], [[0.2, 0.1], [0.6, 0.3], [0.4, 0.9]])


def test_outlines_are_stored_and_are_no_content(outlined: Labels) -> None:
    plain = replace(outlined, polygons=None)
    table = to_arrow(images(outlined))
    assert table_digest(table) == table_digest(to_arrow(images(plain)))
    [again] = from_arrow(ImageSet, table).table["labels"]
    assert again.polygons[1].shape == (3, 2)


def test_what_a_format_does_not_keep_is_said(outlined: Labels) -> None:
    assert losses("yolo", images(outlined)) == [
        "1 outlines are not written, the boxes of these objects are"
    ]
    assert losses("coco", images(replace(outlined, polygons=None))) == []
    assert losses("coco", images(None)) == []


def test_copies_and_crops_have_boxes_alone(outlined: Labels, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    from backhaul.learn.augmentation.copies import make_copies
    from backhaul.learn.augmentation.plan import Plan
    from backhaul.learn.settings import Augmentation
    from backhaul.values.labels import labels_inside

    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((48, 64, 3), dtype=np.uint8)).save(path)
    rows = images(outlined).table.assign(uri=str(path))
    originals = ImageSet(rows, ("a", "b"))
    copies = make_copies(
        originals,
        Plan((("0" * 32, 2),), 3, (1, 1), (3, 3)),
        Augmentation(),
        tmp_path,
        np.random.default_rng(0),
    )
    assert [labels.polygons for labels in copies.table["labels"]] == [None, None]
    both = ImageSet(pd.concat([originals.table, copies.table], ignore_index=True), ("a", "b"))
    again = from_arrow(ImageSet, to_arrow(both)).table["labels"]
    assert [labels.polygons is None for labels in again] == [False, True, True]
    crop = labels_inside(outlined, np.array([0.0, 0.0, 64.0, 48.0]), (64, 48), 0.5)
    assert crop.same_as(outlined)
    assert crop.polygons is None
