import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.learn.augmentation import Plan, plan
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

CLASSES = ("cat", "dog", "owl")
SEEDS = st.integers(0, 2**32 - 1)


def image_set(classes: list[set[int]], copy_of: list[str | None] | None = None) -> ImageSet:
    labels = [Labels.from_rows([(c, 0.5, 0.5, 0.2, 0.2) for c in sorted(s)]) for s in classes]
    table = pd.DataFrame(
        {
            "image_id": [f"img-{i:03d}" for i in range(len(classes))],
            "labels": pd.Series(labels, dtype=object),
            "copy_of": copy_of or [None] * len(classes),
        },
        dtype=object,
    ).assign(uri="x.png", width=9, height=9, size_bytes=9, group=None, label_source="dataset")
    return ImageSet(table[list(IMAGE_COLUMNS)], CLASSES)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def counts_after(images: ImageSet, drawn: Plan) -> list[int]:
    """Count again, image by image."""
    counts = [0] * len(CLASSES)
    number = dict(drawn.copies)
    for image_id, labels in zip(images.ids, images.table["labels"], strict=True):
        for c in set(labels.class_id.tolist()):
            counts[c] += 1 + number.get(image_id, 0)
    return counts


@given(
    classes=st.lists(st.sets(st.integers(0, 2)), max_size=20),
    n_new=st.integers(0, 20),
    target=st.integers(1, 60),
    seed=SEEDS,
)
def test_every_class_reaches_the_target_or_is_named(
    classes: list[set[int]], n_new: int, target: int, seed: int
) -> None:
    images = image_set(classes)
    new = images.ids[:n_new]
    drawn = plan(images, new, target, rng(seed))
    after = counts_after(images, drawn)
    assert list(drawn.after) == after
    assert {image_id for image_id, _ in drawn.copies} <= set(new)
    assert all(number >= 1 for _, number in drawn.copies)
    named = " ".join(drawn.unreached(CLASSES))
    for c, name in enumerate(CLASSES):
        can_grow = any(c in s for s in classes[:n_new])
        assert after[c] >= drawn.before[c]
        assert (after[c] >= target) == (name not in named)
        assert after[c] >= target or not can_grow
        if all(s <= {c} for s in classes if c in s) and can_grow:
            assert after[c] == max(target, drawn.before[c])

    number = dict(drawn.copies)
    for i, mine in enumerate(classes[:n_new]):
        for j, theirs in enumerate(classes[:n_new]):
            if mine == theirs:
                assert abs(number.get(images.ids[i], 0) - number.get(images.ids[j], 0)) <= 1

    order = rng(1).permutation(len(images))
    backwards = images.take([images.ids[i] for i in order])
    assert plan(backwards, set(new), target, rng(seed)) == drawn


def test_images_that_hold_no_common_class_are_copied_first() -> None:
    images = image_set([{0}] * 50 + [{0, 1}, {1}])
    drawn = plan(images, images.ids, 3, rng())
    assert drawn.copies == (("img-051", 1),)
    assert drawn.after == (51, 3, 0)


def test_an_image_of_two_rare_classes_counts_for_both() -> None:
    images = image_set([{0, 1}])
    assert plan(images, images.ids, 5, rng()).copies == (("img-000", 4),)


def test_copies_are_spread_evenly() -> None:
    images = image_set([{0}] * 7)
    numbers = [number for _, number in plan(images, images.ids, 30, rng()).copies]
    assert sum(numbers) == 23
    assert set(numbers) == {3, 4}


def test_old_images_and_their_copies_count_but_get_none() -> None:
    images = image_set([{0}, {0}, {0}, {0}], [None, "img-000", "img-000", None])
    drawn = plan(images, ["img-003"], 6, rng())
    assert drawn.before == (4, 0, 0)
    assert drawn.copies == (("img-003", 2),)


def test_defect_19_absent_classes_and_small_remainders_end() -> None:
    images = image_set([{0, 1}, {0}, {1}])
    drawn = plan(images, ["img-000", "img-001"], 1000, rng())
    assert min(drawn.after[:2]) == 1000
    assert sum(drawn.after) < 2010
    assert drawn.unreached(CLASSES) == ("class owl: 0 of 1000 images; no image contains it",)
    old_only = plan(images, ["img-001"], 10, rng())
    assert "class dog: 2 of 10 images; no new image contains it" in old_only.unreached(CLASSES)


def test_defect_20_the_target_includes_what_exists() -> None:
    images = image_set([{0}] * 10)
    assert plan(images, images.ids, 10, rng()).copies == ()
    assert plan(images, images.ids, 12, rng()).n_copies == 2


def test_an_unknown_new_image_is_an_error() -> None:
    with pytest.raises(KeyError):
        plan(image_set([{0}]), ["other"], 3, rng())


def test_ties_are_broken_at_random() -> None:
    images = image_set([{0}] * 10)
    assert len({plan(images, images.ids, 11, rng(seed)).copies for seed in range(20)}) > 3
