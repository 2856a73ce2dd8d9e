"""What was sent: numbers by hand on a stream of a few frames, and by likeness."""

from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backhaul.analysis.sent import (
    BY_LIKENESS,
    BY_NAME,
    EARLIER,
    EMPTY,
    FIRST,
    REPEAT,
    Describe,
    sent_images,
    sent_table,
)
from backhaul.arrays import Float32Array
from backhaul.campaign.run import CONTROL, SampledBatch
from backhaul.campaign.runtables import plain_seen
from backhaul.data.streams.names import frame_name, scene_name
from backhaul.sampling.diversity.duplicates import NEAR


def sent(
    batch: int, files: tuple[str, ...], empty: tuple[str, ...] = (), method: str = "chosen"
) -> SampledBatch:
    n_objects = {file: 0 if file in empty else 2 for file in files}
    n_bytes = {file: 1000 + i for i, file in enumerate(files)}
    return SampledBatch(method, batch, files, files, {}, n_bytes, n_objects, plain_seen(None))


def frame(time: int, scene: int, *, background: bool = False) -> str:
    name = scene_name("stream", scene, background=background)
    return f"images/{frame_name(0, 'stream', time, name)}"


def never(file: str) -> Float32Array | None:
    raise AssertionError(f"{file} was opened")


def at(vectors: Mapping[str, tuple[float, ...]]) -> Describe:
    def describe(file: str) -> Float32Array | None:
        return np.array(vectors[file], np.float32) if file in vectors else None

    return describe


def test_a_tiny_stream() -> None:
    bare = frame(3, 1)
    first = sent(0, (frame(0, 0), frame(2, 1), frame(1, 0), bare), empty=(bare,))
    second = sent(1, (frame(9, 1), frame(8, 2), frame(7, 2)))
    images = sent_images([first, second], never)
    assert images["kind"].tolist() == [FIRST, FIRST, REPEAT, EMPTY, EARLIER, FIRST, REPEAT]
    assert set(images["scenes_by"]) == {BY_NAME}
    assert sent_table(images).drop(columns="scenes_by").to_numpy().tolist() == [
        ["chosen", 0, 4, 2, 1, 0, 1, 4006],
        ["chosen", 1, 3, 1, 1, 1, 0, 3003],
    ]


def test_each_method_has_a_memory_of_its_own_and_the_control_arm_sends_nothing() -> None:
    played = [
        sent(0, (frame(0, 0),), method="a"),
        sent(0, (frame(1, 0),), method="b"),
        sent(0, (), method=CONTROL),
    ]
    images = sent_images(played, never)
    assert images["kind"].tolist() == [FIRST, FIRST]
    assert sent_table(images)["method"].tolist() == ["a", "b"]


def test_other_images_are_of_one_scene_if_they_look_alike() -> None:
    vectors = {"a": (0.0, 0.0), "b": (NEAR * 0.9, 0.0), "c": (NEAR * 1.8, 0.0), "d": (9.0, 9.0)}
    played = sent(0, ("a", "b", "c", "d"), empty=("d",))
    images = sent_images([played], at(vectors))
    assert images["kind"].tolist() == [FIRST, REPEAT, FIRST, EMPTY]  # c is like b, not like a
    assert set(images["scenes_by"]) == {BY_LIKENESS}


def test_what_is_gone_is_not_counted_as_anything() -> None:
    images = sent_images([sent(0, ("a", "gone")), sent(1, ("b",))], at({"a": (0,), "b": (0,)}))
    assert images["kind"].tolist() == [FIRST, None, EARLIER]
    table = sent_table(images)
    assert table["images"].tolist() == [2, 1]
    assert table["scenes"].isna().tolist() == [True, False]
    assert table["repeats_earlier"].tolist()[1] == 1


def test_sizes_and_labels_may_be_missing() -> None:
    played = SampledBatch("m", 0, (), (frame(0, 0),), {}, {}, {}, plain_seen(None))
    table = sent_table(sent_images([played], never))
    assert table["bytes"].isna().all()
    assert table[["scenes", "empty"]].to_numpy().tolist() == [[1, 0]]


def test_nothing_was_sent() -> None:
    assert sent_table(sent_images([], never)).empty
    assert sent_table(sent_images([sent(0, ())], never)).empty


@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=8), max_size=4))
def test_every_image_is_counted_once(drawn: list[list[tuple[int, bool]]]) -> None:
    played, time = [], 0
    for batch, shown in enumerate(drawn):
        files, empty = [], []
        for scene, is_empty in shown:
            files.append(frame(time, scene))
            time += 1
            if is_empty:
                empty.append(files[-1])
        played.append(sent(batch, tuple(files), tuple(empty)))
    table = sent_table(sent_images(played, never))
    parts = table[["scenes", "repeats", "repeats_earlier", "empty"]].sum(axis=1)
    assert parts.tolist() == table["images"].tolist() == [len(s) for s in drawn if s]
    seen = {scene for shown in drawn for scene, is_empty in shown if not is_empty}
    assert table["scenes"].sum() == len(seen)
    assert table["empty"].sum() == sum(is_empty for shown in drawn for _, is_empty in shown)
