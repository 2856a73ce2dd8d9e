"""Defect 12: batches are lists in one drawn order, not sets, and no loader indexes them.

Defect 15: a split is computed from the images it is asked for, never read back from a file.
"""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.data.settings import Batches, SplitFractions
from backhaul.data.split import (
    SUBSETS,
    Subset,
    batches,
    draw_initial,
    leave_out_seen,
    placement,
    split,
)
from backhaul.data.stratification import apportion, stratify
from backhaul.errors import InputError
from backhaul.values.images import IMAGE_COLUMNS, ImageSet, concat
from backhaul.values.labels import Labels
from backhaul.values.splits import Splits

CLASSES = ("cat", "dog", "owl")
FRACTIONS = SplitFractions(train=0.6, valid=0.2)
SEEDS = st.integers(0, 2**32 - 1)

Spec = tuple[frozenset[int] | None, str | None]


def labels_of(classes: frozenset[int] | None) -> Labels | None:
    if classes is None:
        return None
    return Labels.from_rows([(c, 0.5, 0.5, 0.2, 0.2) for c in sorted(classes)])


def image_set(specs: list[Spec], prefix: str = "img") -> ImageSet:
    rows = [
        (
            f"{prefix}-{i:04d}",
            f"{i}.png",
            96,
            96,
            100,
            group,
            labels_of(classes),
            "dataset",
            None,
        )
        for i, (classes, group) in enumerate(specs)
    ]
    table = {name: [row[j] for row in rows] for j, name in enumerate(IMAGE_COLUMNS)}
    frame = pd.DataFrame(table, columns=list(IMAGE_COLUMNS), dtype=object)
    return ImageSet(frame, CLASSES)


def shuffled(images: ImageSet, seed: int = 1) -> ImageSet:
    order = np.random.default_rng(seed).permutation(len(images))
    return images.take([images.ids[i] for i in order])


def parts(splits: Splits) -> list[ImageSet]:
    return [splits.train, splits.valid, splits.test]


def groups(images: ImageSet) -> set[str]:
    return set(images.table["group"].dropna())


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@st.composite
def specs(
    draw: st.DrawFn, *, grouped: bool, unlabelled: bool = False, max_size: int = 30
) -> list[Spec]:
    classes = st.frozensets(st.integers(0, len(CLASSES) - 1))
    labels = st.none() | classes if unlabelled else classes
    group = st.sampled_from([None, "a", "b", "c", "d"]) if grouped else st.none()
    return draw(st.lists(st.tuples(labels, group), max_size=max_size))


@pytest.mark.parametrize(
    ("n", "shares", "expected"),
    [
        (0, (0.6, 0.2, 0.2), [0, 0, 0]),
        (1, (0.6, 0.2, 0.2), [1, 0, 0]),
        (2, (0.6, 0.2, 0.2), [1, 1, 0]),
        (3, (0.6, 0.2, 0.2), [1, 1, 1]),
        (4, (0.6, 0.2, 0.2), [2, 1, 1]),
        (7, (0.6, 0.2, 0.2), [4, 2, 1]),
        (10, (0.98, 0.01, 0.01), [8, 1, 1]),
        (100, (0.29, 0.01, 0.7), [29, 1, 70]),
        (5, (1.0, 0.0, 1.0), [3, 0, 2]),
    ],
)
def test_apportion(n: int, shares: tuple[float, ...], expected: list[int]) -> None:
    assert apportion(n, np.array(shares)).tolist() == expected


@given(n=st.integers(0, 10_000), shares=st.lists(st.floats(0.01, 1), min_size=1, max_size=6))
def test_apportion_is_complete_and_near(n: int, shares: list[float]) -> None:
    counts = apportion(n, np.array(shares))
    exact = n * np.array(shares) / sum(shares)
    assert counts.sum() == n
    assert counts.min() >= (1 if n >= len(shares) else 0)
    if exact.min() >= 1:
        assert np.abs(counts - exact).max() < 1


@given(spec=specs(grouped=False), seed=SEEDS)
def test_sizes_are_exact_and_every_image_lands_once(spec: list[Spec], seed: int) -> None:
    images = image_set(spec)
    splits = split(images, FRACTIONS, rng(seed))
    sizes = apportion(len(images), np.array([0.6, 0.2, 0.2])).tolist()
    assert [len(part) for part in parts(splits)] == sizes
    assert sorted(concat(parts(splits)).ids) == sorted(images.ids)


@given(spec=specs(grouped=True), seed=SEEDS)
def test_groups_stay_whole_and_order_does_not_matter(spec: list[Spec], seed: int) -> None:
    images = image_set(spec)
    splits = split(images, FRACTIONS, rng(seed))
    assert sorted(concat(parts(splits)).ids) == sorted(images.ids)
    together = Counter(group for part in parts(splits) for group in groups(part))
    assert all(times == 1 for times in together.values())
    again = split(shuffled(images), FRACTIONS, rng(seed))
    assert [part.ids for part in parts(again)] == [part.ids for part in parts(splits)]


@given(
    spec=specs(grouped=True),
    placed=st.dictionaries(st.sampled_from("abcd"), st.sampled_from(SUBSETS)),
    seed=SEEDS,
)
def test_known_groups_go_where_they_went(
    spec: list[Spec], placed: dict[str, Subset], seed: int
) -> None:
    images = image_set(spec)
    splits = split(images, FRACTIONS, rng(seed), placed)
    assert sorted(concat(parts(splits)).ids) == sorted(images.ids)
    went = placement(splits)
    assert went.keys() == groups(images)
    assert all(went[group] == placed[group] for group in went.keys() & placed.keys())


@given(spec=specs(grouped=True), untrained=st.sets(st.integers(0, 29)), seed=SEEDS)
def test_what_is_not_to_be_trained_on_never_is(
    spec: list[Spec], untrained: set[int], seed: int
) -> None:
    images = image_set(spec)
    apart = {images.ids[i] for i in untrained if i < len(images)}
    splits = split(images, FRACTIONS, rng(seed), untrained=apart)
    assert sorted(concat(parts(splits)).ids) == sorted(images.ids)
    assert not apart & set(splits.train.ids)
    if all(spec[i][1] is None for i in untrained if i < len(images)):  # groups stay together
        n_apart = [len(apart & set(part.ids)) for part in parts(splits)]
        assert n_apart == apportion(len(apart), np.array([0.0, 0.2, 0.2])).tolist()
    rest = images.take([each for each in images.ids if each not in apart])
    assert splits.train.ids == split(rest, FRACTIONS, rng(seed)).train.ids


def test_groups_are_filled_by_image_count() -> None:
    sizes = {f"g{i}": size for i, size in enumerate([30, 10, 10, *[5] * 10])}
    images = image_set([(frozenset({0}), g) for g, size in sizes.items() for _ in range(size)])
    for seed in range(20):
        splits = split(images, FRACTIONS, rng(seed))
        assert [len(part) for part in parts(splits)] == [60, 20, 20]


def test_three_groups_occupy_three_subsets() -> None:
    images = image_set([(frozenset({0}), g) for g in "abc" for _ in range(5)])
    assert [len(part) for part in parts(split(images, FRACTIONS, rng()))] == [5, 5, 5]


def test_classes_keep_their_share() -> None:
    draw = rng(3)
    spec: list[Spec] = [
        (frozenset(np.flatnonzero(draw.random(3) < (0.5, 0.2, 0.05)).tolist()), None)
        for _ in range(1000)
    ]
    images = image_set(spec)
    splits = split(images, FRACTIONS, rng(1))
    nothing = [sum(len(b) == 0 for b in part.table["labels"]) for part in parts(splits)]
    shares = np.array([0.6, 0.2, 0.2])
    counts = np.array([part.presence().sum(axis=0) for part in parts(splits)])
    assert np.abs(counts - np.outer(shares, images.presence().sum(axis=0))).max() <= 3
    assert np.abs(np.array(nothing) - shares * sum(nothing)).max() <= 3


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_images_are_split(n: int) -> None:
    splits = split(image_set([(frozenset({1}), None)] * n), FRACTIONS, rng())
    assert [len(part) for part in parts(splits)] == [[0, 0, 0], [1, 0, 0], [1, 1, 0]][n]


def test_defect_14_capacity_counts_and_unlabelled_images_are_named() -> None:
    three = image_set([(frozenset({0}), None)] * 3)
    assert [len(part) for part in parts(split(three, FRACTIONS, rng()))] == [1, 1, 1]
    empty = image_set([(frozenset(), None)] * 10)
    assert [len(part) for part in parts(split(empty, FRACTIONS, rng()))] == [6, 2, 2]
    with pytest.raises(InputError, match="1 of 3 images have no labels"):
        split(
            image_set([(frozenset(), None), (None, None), (frozenset(), None)]),
            FRACTIONS,
            rng(),
        )


def test_stratify_fills_weighted_rows() -> None:
    labels = np.ones((4, 1), dtype=bool)
    subset = stratify(labels, np.array([7, 1, 1, 1]), np.array([7, 3]), rng())
    assert subset[0] == 0
    assert subset[1:].tolist() == [1, 1, 1]


@given(spec=specs(grouped=False, unlabelled=True), count=st.integers(1, 30), seed=SEEDS)
def test_initial_set_is_labelled_and_exact(spec: list[Spec], count: int, seed: int) -> None:
    images = image_set(spec)
    if count > len(images.labelled()):
        with pytest.raises(InputError, match=r"initial\.images"):
            draw_initial(images, count, rng(seed))
        return
    initial, pool = draw_initial(images, count, rng(seed))
    assert len(initial) == len(initial.labelled()) == count
    assert sorted(concat([initial, pool]).ids) == sorted(images.ids)
    again, _ = draw_initial(shuffled(images), count, rng(seed))
    assert again.ids == initial.ids


@given(spec=specs(grouped=True, unlabelled=True), seed=SEEDS)
def test_initial_set_takes_whole_groups(spec: list[Spec], seed: int) -> None:
    images = image_set(spec)
    try:
        initial, pool = draw_initial(images, 3, rng(seed))
    except InputError:
        return
    assert not groups(initial) & groups(pool)
    assert len(initial) == len(initial.labelled())
    assert sorted(concat([initial, pool]).ids) == sorted(images.ids)


def arriving(size: int, count: int | None = None, holdout: int = 0) -> Batches:
    return Batches(sampling_batch=size, count=count, holdout_batches=holdout)


@given(
    spec=specs(grouped=True),
    size=st.integers(1, 10),
    count=st.none() | st.integers(1, 4),
    holdout=st.integers(0, 2),
    seed=SEEDS,
)
def test_batches_are_a_partition(
    spec: list[Spec], size: int, count: int | None, holdout: int, seed: int
) -> None:
    pool = image_set(spec)
    try:
        drawn = batches(pool, arriving(size, count, holdout), rng(seed))
    except InputError:
        return
    rest = concat([*drawn.numbered, drawn.leftover])
    assert sorted(concat([drawn.holdout, rest]).ids) == sorted(pool.ids)
    assert {len(batch) for batch in drawn.numbered} == {size}
    assert len(drawn.numbered) == count or (count is None and len(drawn.leftover) < size)
    assert not groups(drawn.holdout) & groups(rest)
    if not groups(pool):
        assert len(drawn.holdout) == holdout * size
    assert (len(drawn.holdout) > 0) == (holdout > 0)


def test_defect_11_batches_are_random_and_do_not_depend_on_order() -> None:
    pool = image_set([(frozenset({0}), None)] * 40)
    drawn = batches(pool, arriving(10, holdout=1), rng(5))
    again = batches(shuffled(pool), arriving(10, holdout=1), rng(5))
    other = batches(pool, arriving(10, holdout=1), rng(6))
    assert [b.ids for b in drawn.numbered] == [b.ids for b in again.numbered]
    assert drawn.holdout.ids == again.holdout.ids
    assert [b.ids for b in drawn.numbered] != [b.ids for b in other.numbered]
    in_order = [i for batch in drawn.numbered for i in batch.ids]
    assert in_order != sorted(in_order)


@pytest.mark.parametrize(
    ("size", "count", "holdout", "message"),
    [
        (11, None, 0, "1 of 11 images wanted, 10 are left"),
        (5, 2, 1, "2 of 5 images wanted, 5 are left"),
        (5, None, 3, r"batches\.holdout_batches: 15 images are held out, the pool has 10"),
    ],
)
def test_too_small_a_pool_is_refused(
    size: int, count: int | None, holdout: int, message: str
) -> None:
    pool = image_set([(frozenset({0}), None)] * 10)
    with pytest.raises(InputError, match=message):
        batches(pool, arriving(size, count, holdout), rng())


def test_groups_that_are_trained_on_are_not_held_out() -> None:
    spec: list[Spec] = [(frozenset({0}), f"g{i // 4}") for i in range(40)]
    pool = image_set(spec)
    known = {f"g{i}" for i in range(7)}
    for seed in range(5):
        drawn = batches(pool, arriving(6, holdout=2), rng(seed), known)
        assert len(drawn.holdout) == 12
        assert groups(drawn.holdout) == {"g7", "g8", "g9"}
    with pytest.raises(InputError, match="18 images are held out, the pool has 12"):
        batches(pool, arriving(6, holdout=3), rng(), known)


def test_a_count_leaves_the_rest_over() -> None:
    pool = image_set([(frozenset({0}), None)] * 10)
    drawn = batches(pool, arriving(3, count=2), rng())
    assert (len(drawn.numbered), len(drawn.leftover)) == (2, 4)


def test_seen_images_leave_the_pool() -> None:
    pool = image_set([(frozenset({0, 1}), None)] * 5)
    seen = shuffled(pool.take(["img-0003", "img-0001"]))
    rest, repeated = leave_out_seen(pool, seen)
    assert rest.ids == ("img-0000", "img-0002", "img-0004")
    assert repeated == ("img-0001", "img-0003")
    assert leave_out_seen(pool.without_labels(), seen)[1] == repeated
    assert leave_out_seen(pool, seen.without_labels())[1] == repeated


def test_seen_labels_may_come_in_another_order_but_not_differ() -> None:
    pool = image_set([(frozenset({0, 1}), None)])
    rows = pool.table["labels"].iloc[0].rows()
    reversed_boxes = [Labels.from_rows(rows[::-1] + np.array([0, *[1e-7] * 4]))]
    same = ImageSet(pool.table.assign(labels=pd.Series(reversed_boxes)), CLASSES)
    assert leave_out_seen(pool, same)[1] == pool.ids
    for classes in (frozenset({0}), frozenset({0, 2})):
        with pytest.raises(InputError, match=r"0\.png: the same image as 0\.png, with other"):
            leave_out_seen(pool, image_set([(classes, None)]))


def test_placement_names_each_group() -> None:
    images = image_set([(frozenset({0}), "a"), (frozenset({0}), None), (frozenset({0}), "b")])
    train, rest = images.take(["img-0000", "img-0001"]), images.take(["img-0002"])
    assert placement(Splits(train, rest, images.take([]))) == {"a": "train", "b": "valid"}
