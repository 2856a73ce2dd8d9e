from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.storage.parquet import from_parquet, to_arrow, to_parquet
from backhaul.values.columns import names_of
from backhaul.values.detections import (
    DETECTION_COLUMNS,
    FUSED_COLUMNS,
    FUSED_SCHEMA,
    Detections,
    FusedDetections,
)
from backhaul.values.features import Features
from backhaul.values.images import IMAGE_COLUMNS, ImageSet, empty_image_set
from backhaul.values.labels import Labels
from backhaul.values.selections import SELECTION_COLUMNS, Selection
from backhaul.values.splits import Splits

NAMES = ("weiß", "red cell", "c")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
UNIT = st.floats(0, 1, allow_nan=False)


@st.composite
def label_sets(draw: st.DrawFn) -> Labels:
    rows = draw(st.lists(st.tuples(st.integers(0, 2), UNIT, UNIT, UNIT, UNIT), max_size=3))
    labels = Labels.from_rows(rows)
    outlines = [draw(st.none() | st.lists(st.tuples(UNIT, UNIT), max_size=4)) for _ in rows]
    if all(outline is None for outline in outlines):
        return labels
    polygons = (None if o is None else np.array(o).reshape(-1, 2) for o in outlines)
    return Labels(labels.class_id, labels.xywhn, tuple(polygons))


def frame_of(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    columns = {
        name: pd.Series([row[i] for row in rows], dtype=object)
        for i, name in enumerate(IMAGE_COLUMNS)
    }
    frame = pd.DataFrame(columns)
    return frame.astype({"width": "int64", "height": "int64", "size_bytes": "int64"})


@st.composite
def image_sets(draw: st.DrawFn) -> ImageSet:
    ids = draw(st.lists(st.text("0123456789abcdef", min_size=1), unique=True, max_size=5))
    rows = [
        (
            name,
            draw(TEXT),
            draw(st.integers(1, 9999)),
            draw(st.integers(1, 9999)),
            draw(st.integers(1, 2**40)),
            draw(st.none() | TEXT),
            draw(st.none() | label_sets()),
            draw(st.none() | TEXT),
            draw(st.none() | st.sampled_from(ids).map(lambda text: text + "-original")),
        )
        for name in ids
    ]
    return ImageSet(frame_of(rows), NAMES)


def assert_same_labels(left: Labels, right: Labels) -> None:
    np.testing.assert_array_equal(left.rows(), right.rows())
    assert (left.polygons is None) == (right.polygons is None)
    for a, b in zip(left.polygons or (), right.polygons or (), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b)


def assert_same(left: ImageSet, right: ImageSet) -> None:
    assert left.class_names == right.class_names
    for name in IMAGE_COLUMNS:
        for a, b in zip(left.table[name], right.table[name], strict=True):
            if name == "labels" and a is not None:
                assert_same_labels(a, b)
            else:
                assert type(a) is type(b)
                assert a == b


@given(image_sets())
@settings(max_examples=60, deadline=None)
def test_images_come_back_as_they_were(images: ImageSet) -> None:
    assert_same(images, from_parquet(ImageSet, to_parquet(images)))


@given(image_sets(), st.lists(st.integers(0, 2), min_size=5, max_size=5))
@settings(max_examples=40, deadline=None)
def test_splits_come_back_as_they_were(images: ImageSet, parts: list[int]) -> None:
    images = ImageSet(images.table.assign(copy_of=None), images.class_names)
    which = np.array(parts[: len(images)], dtype=np.int64)
    splits = Splits(*(images.where(which == part) for part in range(3)))
    back = from_parquet(Splits, to_parquet(splits))
    assert_same(splits.train, back.train)
    assert_same(splits.valid, back.valid)
    assert_same(splits.test, back.test)


@given(image_sets())
@settings(max_examples=20, deadline=None)
def test_equal_content_gives_equal_bytes(images: ImageSet) -> None:
    rebuilt = from_parquet(ImageSet, to_parquet(images))
    assert to_parquet(rebuilt) == to_parquet(images)


def flat(columns: tuple[str, ...], n: int) -> pd.DataFrame:
    frame = pd.DataFrame({name: np.arange(n) / 8 for name in columns})
    for name in frame.columns.intersection(["epoch", "class_id", "votes", "size_bytes"]):
        frame[name] = np.arange(n)
    for name in frame.columns.intersection(["image_id", "method", "reason"]):
        frame[name] = pd.Series([f"{name} {i}" for i in range(n)], dtype="str")
    return frame


@pytest.mark.parametrize("n", [0, 4])
def test_tables_of_boxes_and_selections_come_back_with_their_dtypes(n: int) -> None:
    detections = Detections.from_table(flat(DETECTION_COLUMNS, n))
    fused = FusedDetections.from_table(flat(FUSED_COLUMNS, n))
    selection = Selection.from_table(flat(SELECTION_COLUMNS, n))
    pd.testing.assert_frame_equal(
        from_parquet(Detections, to_parquet(detections)).table, detections.table
    )
    pd.testing.assert_frame_equal(
        from_parquet(FusedDetections, to_parquet(fused)).table, fused.table
    )
    pd.testing.assert_frame_equal(
        from_parquet(Selection, to_parquet(selection)).table, selection.table
    )


def test_an_empty_set_gets_the_dtypes_of_a_full_one() -> None:
    back = from_parquet(ImageSet, to_parquet(empty_image_set(NAMES)))
    full = from_parquet(
        ImageSet,
        to_parquet(ImageSet(frame_of([("a", "b", 1, 1, 1, None, None, None, None)]), NAMES)),
    )
    assert back.class_names == NAMES
    assert list(back.table.dtypes) == list(full.table.dtypes)


def test_plain_tables_come_back() -> None:
    frame = pd.DataFrame({"file": ["a", "b"], "n": [1, 2], "conf": [0.5, np.nan]})
    pd.testing.assert_frame_equal(from_parquet(pd.DataFrame, to_parquet(frame)), frame)


def test_another_kind_of_value_is_refused() -> None:
    data = to_parquet(Selection.from_table(flat(SELECTION_COLUMNS, 2)))
    with pytest.raises(ValueError, match="expected a table of images"):
        from_parquet(ImageSet, data)
    with pytest.raises(ValueError, match="expected columns"):
        from_parquet(Detections, data)
    with pytest.raises(ValueError, match="expected a table of splits"):
        from_parquet(Splits, to_parquet(empty_image_set(NAMES)))


def with_needs(n: int) -> FusedDetections:
    """Boxes in every second of `n` images, with scores, and features of all."""
    fused = FusedDetections.from_table(flat(FUSED_COLUMNS, n))
    names = names_of([*fused.image_id, *(f"nothing in {i}" for i in range(n))])
    vectors = np.random.default_rng(0).normal(size=(2 * n, 4)).astype(np.float32)
    scores = np.random.default_rng(1).uniform(size=(n, 3))
    described = Features(names[::-1], vectors[:, :2])
    return dataclasses.replace(
        fused, scores=scores, features=Features(names, vectors), descriptors=described
    )


def test_without_descriptors_features_are_stored_as_before() -> None:
    whole = dataclasses.replace(with_needs(4), descriptors=None)
    table = to_arrow(whole)
    assert table.column_names == [*FUSED_SCHEMA, "scores", "features"]
    assert len(table) == len(whole) + 8
    back = from_parquet(FusedDetections, to_parquet(whole))
    assert back.descriptors is None
    assert back.features is not None


@pytest.mark.parametrize("n", [0, 4])
def test_scores_and_vectors_come_back(n: int) -> None:
    whole = with_needs(n)
    back = from_parquet(FusedDetections, to_parquet(whole))
    pd.testing.assert_frame_equal(back.table, whole.table)
    assert back.scores is not None
    np.testing.assert_array_equal(back.scores, whole.scores)
    assert back.features is not None
    assert whole.features is not None
    assert back.features.vectors.dtype == np.float32
    np.testing.assert_array_equal(back.features.vectors, whole.features.vectors)
    assert back.features.image_id.tolist() == whole.features.image_id.tolist()
    assert back.descriptors is not None
    assert whole.descriptors is not None
    np.testing.assert_array_equal(back.descriptors.vectors, whole.descriptors.vectors)
    assert back.descriptors.image_id.tolist() == whole.descriptors.image_id.tolist()
    assert to_parquet(back) == to_parquet(whole)


def test_features_go_with_their_images() -> None:
    whole = with_needs(4)
    part = whole.of_images(["image_id 2", "nothing in 1"])
    assert part.image_id.tolist() == ["image_id 2"]
    assert part.features is not None
    assert whole.features is not None
    both = ("nothing in 1", "image_id 2")
    np.testing.assert_array_equal(part.features.of(both), whole.features.of(both))
    assert part.descriptors is not None
    assert whole.descriptors is not None
    np.testing.assert_array_equal(part.descriptors.of(both), whole.descriptors.of(both))
    with pytest.raises(KeyError):
        part.features.of(["image_id 1"])
