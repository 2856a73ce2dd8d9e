"""Initial set, batches and held-out images that are cut out of images in order of capture."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.data.arrangement import Drawn, arrange
from backhaul.data.settings import Batches, InitialSet
from backhaul.errors import InputError
from backhaul.values.images import ImageSet
from backhaul.values.labels import Labels


def frames(groups: list[int], *, unlabelled: int = -1) -> ImageSet:
    """Return frames named by their number, group after group of these sizes, shuffled."""
    group = np.repeat(np.arange(len(groups)), groups)
    order = np.random.default_rng(0).permutation(len(group))
    rows = [
        {
            "image_id": f"{(n * 7919) % 100_003:032x}",
            "uri": f"/lot/{('train', 'valid')[n % 2]}/images/lot-{n}_jpg.rf.{n:04x}.jpg",
            "width": 64, "height": 64, "size_bytes": 1000,
            "group": f"g{group[n]}",
            "labels": None if n == unlabelled else Labels.from_rows([[0, 0.5, 0.5, 0.1, 0.1]]),
            "label_source": None, "copy_of": None,
        }
        for n in order.tolist()
    ]  # fmt: skip
    return ImageSet(pd.DataFrame(rows), ("car",))


def numbers(images: ImageSet) -> list[int]:
    return [int(uri.split("-")[1].split("_")[0]) for uri in images.table["uri"]]


def cut(images: ImageSet, n_initial: int, own: ImageSet | None = None, **given: int) -> Drawn:
    arriving = Batches.model_validate({"order": "capture", **given})
    initial = InitialSet(images=n_initial)
    return arrange(images, own, initial, arriving, lambda name: np.random.default_rng(0))


def test_parts_follow_one_another_with_gaps() -> None:
    drawn = cut(frames([1] * 120), 20, sampling_batch=25, holdout_batches=1, gap=5)
    assert numbers(drawn.first) == [*range(20)]
    assert [numbers(batch) for batch in drawn.arrivals.numbered] == [
        [*range(25, 50)],
        [*range(50, 75)],
    ]
    assert numbers(drawn.arrivals.holdout) == [*range(95, 120)]
    assert sorted(numbers(drawn.arrivals.leftover)) == [
        *range(20, 25),
        *range(75, 90),
        *range(90, 95),
    ]


@settings(max_examples=20)
@given(st.lists(st.integers(1, 4), min_size=30, max_size=60), st.integers(0, 8))
def test_groups_stay_whole_and_every_image_is_in_one_part(groups: list[int], gap: int) -> None:
    images = frames(groups)
    drawn = cut(images, 10, sampling_batch=6, holdout_batches=1, gap=gap)
    arrivals = drawn.arrivals
    pool = [n for batch in arrivals.numbered for n in numbers(batch)]
    everything = [drawn.first, *arrivals.numbered, arrivals.holdout, arrivals.leftover]
    assert sorted(n for part in everything for n in numbers(part)) == [*range(len(images))]
    assert pool == [*range(min(pool), max(pool) + 1)]
    first, last = max(numbers(drawn.first)), min(numbers(arrivals.holdout))
    assert min(pool) - first - 1 >= gap - 2
    assert last - max(pool) - 1 >= gap - 2
    group = dict(zip(numbers(images), images.table["group"], strict=True))
    trained = {group[n] for n in (*numbers(drawn.first), *pool)}
    assert not trained & {group[n] for n in numbers(arrivals.holdout)}


def test_an_initial_set_of_its_own_leaves_all_others_to_arrive() -> None:
    images = frames([1] * 60)
    own = images.where(np.array(numbers(images)) >= 50)
    drawn = cut(images, 8, own, sampling_batch=20, holdout_batches=1, gap=5)
    assert len(drawn.first) == 8
    assert {*numbers(drawn.first), *numbers(drawn.unused)} == {*range(50, 60)}
    assert [numbers(batch) for batch in drawn.arrivals.numbered] == [[*range(20)]]
    assert numbers(drawn.arrivals.holdout) == [*range(30, 50)]


def test_what_cannot_be_cut_is_told() -> None:
    with pytest.raises(InputError, match=r"batches: of 60 images in order of capture, none is"):
        cut(frames([1] * 60), 20, sampling_batch=10, holdout_batches=1, gap=20)
    with pytest.raises(InputError, match=r"batches: 1 of 40 images wanted, 20 are left"):
        cut(frames([1] * 80), 20, sampling_batch=40, holdout_batches=1)
    with pytest.raises(InputError, match=r"first 20 images are initial, and 1 of them have no"):
        cut(frames([1] * 80, unlabelled=3), 20, sampling_batch=20, holdout_batches=1)
