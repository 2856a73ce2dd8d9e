"""Turns of classes, and frames at even distances."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.identity import canonical
from backhaul.sampling import EveryNthSampling, RareFirstSampling
from backhaul.sampling.spending import fitting
from backhaul.values.bandwidth import Bandwidth
from backhaul.values.offers import Offers, Pool

PoolOf = Callable[..., Pool]


def test_classes_take_turns_the_rarest_first(pool_of: PoolOf) -> None:
    seen = {f"c{i}": [(5, 0.9), (5, 0.8)] for i in range(6)}
    seen |= {f"b{i}": [(7, 0.5)] for i in range(3)}
    seen |= {"a": [(2, 0.3), (5, 0.9)], "none": []}
    pool = pool_of(seen)
    chosen = RareFirstSampling().select(
        pool, Bandwidth(images=20), rng=np.random.default_rng(0)
    )
    initials = "".join(name[0] for name in chosen.image_id)
    assert initials == "abcbcbccccn"
    assert chosen.reason[:3].tolist() == ["class 2", "class 7", "class 5"]
    assert chosen.reason[-1] == "undetected"


def test_images_of_a_class_are_equally_likely(pool_of: PoolOf) -> None:
    pool = pool_of({name: [(0, 0.1 * i)] for i, name in enumerate("abcd")})
    first = Counter(
        RareFirstSampling()
        .select(pool, Bandwidth(images=1), rng=np.random.default_rng(seed))
        .image_id[0]
        for seed in range(400)
    )
    assert min(first.values()) > 60


def test_frames_are_counted_by_their_numbers(pool_of: PoolOf) -> None:
    files = [f"/d/cam2_frame{i}.png" for i in (9, 10, 1, 100, 11)]
    plain = pool_of({f"i{i}": [] for i in range(5)})
    pool = Pool(Offers.originals(plain.image_id, plain.size_bytes, files), plain.detections)
    rng = np.random.default_rng(0)
    chosen = EveryNthSampling(n=2).select(pool, Bandwidth(images=9), rng=rng)
    assert [pool.files[pool.image_id.index(i)] for i in chosen.image_id] == [
        "/d/cam2_frame1.png",
        "/d/cam2_frame10.png",
        "/d/cam2_frame100.png",
    ]
    assert chosen.reason.tolist() == ["frame 1 of 5", "frame 3 of 5", "frame 5 of 5"]


@pytest.mark.parametrize(
    "in_order",
    [
        ("cam00_stream_000011_s00003", "cam00_stream_000012_sb00001", "cam00_stream_000013_s1"),
        ("a2/g1", "a10/f1"),
        ("7", "a", "a01", "a1"),
    ],
)
def test_numbers_and_texts_are_compared_where_they_stand(
    in_order: tuple[str, ...], pool_of: PoolOf
) -> None:
    pool = pool_of({name: [] for name in reversed(in_order)})
    rng = np.random.default_rng(0)
    chosen = EveryNthSampling(n=1).select(pool, Bandwidth(images=9), rng=rng)
    assert tuple(chosen.image_id) == in_order


def test_what_was_chosen_in_another_order_is_chosen_anew() -> None:
    assert canonical(EveryNthSampling(n=3))["revision"] == 2
    assert "revision" not in canonical(RareFirstSampling())


@given(
    st.lists(st.integers(1, 50), max_size=30),
    st.integers(0, 20),
    st.none() | st.integers(0, 400),
)
@settings(deadline=None)
def test_images_in_an_order_are_sent_one_by_one(
    sizes: list[int], images: int, most_bytes: int | None
) -> None:
    expected: list[int] = []
    left = np.inf if most_bytes is None else most_bytes
    for place, size in enumerate(sizes):
        if len(expected) < images and size <= left:
            expected.append(place)
            left -= size
    bandwidth = Bandwidth(images=images, bytes=most_bytes)
    assert fitting(np.array(sizes, dtype=np.int64), bandwidth).tolist() == expected
