import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backhaul.learn.mixing import all_for_training, merge, mix
from backhaul.learn.settings import Mixing
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.splits import Splits

CLASSES = ("cat",)
SEEDS = st.integers(0, 2**32 - 1)


def image_set(prefix: str, n_originals: int, copies_each: int = 0) -> ImageSet:
    ids = [f"{prefix}-{i:03d}" for i in range(n_originals)]
    copies = [(f"{i}-copy{c}", i) for i in ids for c in range(copies_each)]
    table = pd.DataFrame(
        {
            "image_id": ids + [copy for copy, _ in copies],
            "copy_of": [None] * len(ids) + [original for _, original in copies],
        },
        dtype=object,
    )
    table = table.assign(uri="x.png", width=9, height=9, size_bytes=9, label_source="dataset")
    table = table.assign(group=None, labels=None)
    return ImageSet(table[list(IMAGE_COLUMNS)], CLASSES)


def splits(prefix: str, sizes: tuple[int, int, int], copies_each: int = 0) -> Splits:
    train, valid, test = sizes
    return Splits(
        image_set(f"{prefix}-train", train, copies_each),
        image_set(f"{prefix}-valid", valid),
        image_set(f"{prefix}-test", test),
    )


def parts(value: Splits) -> list[ImageSet]:
    return [value.train, value.valid, value.test]


sizes = st.tuples(*[st.integers(0, 20)] * 3)


@given(new=sizes, old=sizes, r=st.floats(0.05, 1), seed=SEEDS)
def test_each_split_has_its_proportion(
    new: tuple[int, int, int], old: tuple[int, int, int], r: float, seed: int
) -> None:
    fresh, seen = splits("new", new), splits("old", old, copies_each=2)
    mixed = mix(fresh, seen, r, np.random.default_rng(seed))
    for result, mine, theirs in zip(parts(mixed), parts(fresh), parts(seen), strict=True):
        originals = set(result.originals().ids)
        n_new, n_seen = len(mine), len(theirs.originals())
        n_old = min(round(n_new * (1 - r) / r), n_seen) if n_new else n_seen
        assert set(mine.ids) <= originals
        assert originals - set(mine.ids) <= set(theirs.ids)
        assert len(originals) == n_new + n_old
    copies = mixed.train.table["copy_of"].dropna()
    drawn = set(mixed.train.originals().ids) - set(fresh.train.ids)
    assert copies.value_counts().to_dict() == dict.fromkeys(drawn, 2)


@pytest.mark.parametrize(("r", "n_old"), [(0.5, 10), (0.25, 30), (0.8, 2), (1.0, 0)])
def test_old_originals_are_counted(r: float, n_old: int) -> None:
    mixed = mix(splits("new", (10, 2, 2)), splits("old", (50, 50, 50)), r, rng())
    assert len(mixed.train) == 10 + n_old


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_old_images_are_drawn_at_random_whatever_their_order() -> None:
    new, old = splits("new", (5, 1, 1)), splits("old", (30, 5, 5), copies_each=1)
    backwards = Splits(*(part.take(part.ids[::-1]) for part in parts(old)))
    drawn = set(mix(new, old, 0.5, rng(1)).train.ids)
    assert set(mix(new, backwards, 0.5, rng(1)).train.ids) == drawn
    assert set(mix(new, old, 0.5, rng(2)).train.ids) != drawn


def test_defect_18_too_few_old_images_mean_fewer() -> None:
    mixed = mix(splits("new", (20, 5, 5)), splits("old", (3, 0, 0)), 0.5, rng())
    assert [len(part) for part in parts(mixed)] == [23, 5, 5]


def test_defect_28_a_fraction_of_zero_is_refused() -> None:
    with pytest.raises(ValidationError, match="retrain_new"):
        Mixing(retrain_new=0)
    with pytest.raises(ValueError, match="retrain_new must be in"):
        mix(splits("new", (1, 1, 1)), splits("old", (1, 1, 1)), 0.0, rng())


def test_merge_keeps_everything_seen() -> None:
    old, new = splits("old", (3, 1, 1), copies_each=2), splits("new", (2, 1, 0), copies_each=1)
    seen = merge(old, new)
    assert seen.train.ids == old.train.ids + new.train.ids
    assert [len(part) for part in parts(seen)] == [13, 2, 1]
    with pytest.raises(ValueError, match="repeats"):
        merge(seen, new)


def test_no_image_changes_sides() -> None:
    old = splits("old", (3, 1, 1))
    with pytest.raises(ValueError, match="in two splits"):
        merge(old, Splits(image_set("new", 1), old.train, image_set("other", 1)))


def test_equal_choices_are_equal_splits_in_whatever_order_they_were_made() -> None:
    chosen = image_set("new", 5)
    one, other = (all_for_training(chosen.take(ids)) for ids in (chosen.ids, chosen.ids[::-1]))
    pd.testing.assert_frame_equal(one.train.table, other.train.table)
    assert one.train.ids == chosen.ids
    assert (len(one.valid), len(one.test)) == (0, 0)
    assert len(all_for_training(chosen.take(())).train) == 0
