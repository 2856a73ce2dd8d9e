"""From every format to every other: nothing is lost but what the guide says."""

from __future__ import annotations

import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backhaul.data.formats import FORMATS, read
from backhaul.data.formats.writing import link_file
from backhaul.data.settings import FolderData
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels

EXACT_PX = 1e-9
ROUNDED_PX = 1e-6
PRECISION_PX = dict.fromkeys(FORMATS, ROUNDED_PX) | {"yolo": EXACT_PX, "coco": EXACT_PX}

boxes = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.floats(0, 0.9),
        st.floats(0, 0.9),
        st.floats(1e-3, 1),
        st.floats(1e-3, 1),
    ),
    unique=True,
    max_size=4,
)


def to_labels(rows: list[tuple[float, ...]] | None) -> Labels | None:
    """Return boxes that end within the image; None stays None."""
    if rows is None:
        return None
    left = np.array(rows, dtype=np.float64).reshape(-1, 5)
    sizes = np.minimum(left[:, 3:], 1 - left[:, 1:3])
    return Labels.from_rows(np.column_stack([left[:, 0], left[:, 1:3] + sizes / 2, sizes]))


def assert_boxes_within(precision_px: float, images: ImageSet, others: ImageSet) -> None:
    found = others.table.set_index("image_id")["labels"]
    assert set(found.index) == set(images.ids)
    columns = images.table[["image_id", "width", "height", "labels"]]
    for image_id, width, height, labels in columns.itertuples(index=False):
        if labels is None:
            assert found[image_id] is None
            continue
        assert found[image_id].class_id.tolist() == labels.class_id.tolist()
        corners, other_corners = (
            boxes.xyxy(width, height) for boxes in (labels, found[image_id])
        )
        np.testing.assert_allclose(other_corners, corners, rtol=0, atol=precision_px)


@pytest.mark.parametrize(("first", "second"), [*product(FORMATS, repeat=2)])
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.none() | boxes, min_size=8, max_size=8))
def test_images_boxes_and_classes_survive_two_formats(
    first: str, second: str, odd_set: ImageSet, rows: list[Any]
) -> None:
    labels = pd.Series([to_labels(boxes) for boxes in rows], dtype=object)
    images = ImageSet(odd_set.table.assign(labels=labels), odd_set.class_names)
    now = images
    with tempfile.TemporaryDirectory() as folder:
        for step, name in enumerate((first, second)):
            root = Path(folder) / str(step)
            FORMATS[name].write(root, now, link_file)
            report = read(FolderData.model_validate({"root": root, "format": name}))
            assert all("fractions" in problem.reason for problem in report.problems)
            now = report.images
    spaces = "_" if "kitti" in (first, second) else " "
    assert now.class_names == (f"red{spaces}cell", "weiß", "c")
    assert_boxes_within(PRECISION_PX[first] + PRECISION_PX[second], images, now)
