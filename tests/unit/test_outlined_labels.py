"""Labels that are outlines, where labels are read, stored and written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

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
