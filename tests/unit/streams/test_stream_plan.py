"""What frames of a stream show, and when."""

from collections import Counter
from functools import partial
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.data.settings import Bursts, DigitScenes, StreamData
from backhaul.data.streams.names import STREAM_PARTS, frame_name, moment_of, scene_name
from backhaul.data.streams.plan import Planned, burst_lengths, plan
from backhaul.randomness import generator


def planned(seed: int = 0, **given: object) -> list[Planned]:
    data = StreamData.model_validate({"of": DigitScenes(), **given})
    return list(plan(data, partial(generator, seed)))


def of(part: str, frames: list[Planned]) -> list[Planned]:
    return [frame for frame in frames if frame.part == part]


@settings(max_examples=30)
@given(
    st.integers(1, 60), st.integers(1, 20), st.integers(1, 20), st.integers(1, 5),
    st.floats(0, 0.9), st.integers(1, 9),
)  # fmt: skip
def test_parts_have_their_sizes_and_every_node_its_order(
    frames: int, initial: int, test: int, nodes: int, empty: float, most: int
) -> None:
    found = planned(
        frames=frames, initial=initial, test=test, nodes=nodes, empty=empty,
        bursts={"most": most},
    )  # fmt: skip
    sizes = Counter(frame.part for frame in found)
    assert [sizes[part] for part in STREAM_PARTS] == [initial, frames, test]
    for part in STREAM_PARTS:
        for node in range(nodes):
            times = [frame.time for frame in of(part, found) if frame.node == node]
            assert times == list(range(len(times)))
    shared = [
        {f.scene for f in of("stream", found) if f.node == node and not f.is_empty}
        for node in range(nodes)
    ]
    assert sum(map(len, shared)) == len(set().union(*shared))


def test_bursts_are_as_long_as_zipf_says_and_never_longer() -> None:
    shown = [frame for frame in of("stream", planned(frames=20_000)) if not frame.is_empty]
    lengths = [len(list(burst)) for _, burst in groupby(shown, key=lambda frame: frame.scene)]
    assert max(lengths) == 16
    found = np.bincount(lengths[:-1], minlength=17)[1:] / (len(lengths) - 1)
    expected = burst_lengths(Bursts())
    assert expected[0] == pytest.approx(2 * expected[1])
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_a_share_of_the_frames_is_empty(share: float) -> None:
    for seed in range(5):
        found = planned(seed, frames=400, initial=50, test=1000, empty=share)
        empty = {p: np.mean([f.is_empty for f in of(p, found)]) for p in STREAM_PARTS}
        assert empty["initial"] == empty["test"] == share
        assert abs(empty["stream"] - share) < 0.1
    long = of("stream", planned(frames=20_000, empty=share))
    assert np.mean([f.is_empty for f in long]) == pytest.approx(share, abs=0.015)


def test_initial_and_test_parts_show_each_scene_once() -> None:
    found = planned(initial=60, test=100)
    for part in ("initial", "test"):
        scenes = [frame.scene for frame in of(part, found) if not frame.is_empty]
        assert scenes == list(range(len(scenes)))


def test_more_frames_begin_with_the_same_ones() -> None:
    few, many = (of("stream", planned(frames=n, nodes=3)) for n in (30, 90))
    assert set(few) < set(many)
    assert planned(0) != planned(1)


def test_names_say_all_and_sort_in_order_of_capture() -> None:
    found = planned(frames=40, initial=12, test=12, nodes=3)
    names = [
        frame_name(f.node, f.part, f.time, scene_name(f.part, f.scene, background=f.is_empty))
        for f in found
    ]
    for frame, name in zip(found, names, strict=True):
        moment = moment_of(f"/store/images/{name}")
        assert moment == (STREAM_PARTS.index(frame.part), frame.time, frame.node)
    for node in range(3):
        for part in STREAM_PARTS:
            mine = [n for n in names if n.startswith(f"cam{node:02d}_{part}")]
            assert mine == sorted(mine)
    assert moment_of("/cars/cam1_stream_2.jpg") is None
