from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from backhaul.data.formats import read
from backhaul.data.groups import FoundGroups, find_groups
from backhaul.data.likeness import Hashes
from backhaul.data.settings import FolderData, SplitFractions
from backhaul.data.split import split
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels


def images(*names: str, root: str = "/d") -> ImageSet:
    rows = {name: pd.Series([None] * len(names), dtype=object) for name in IMAGE_COLUMNS}
    rows["image_id"] = pd.Series([f"{n:032x}" for n in range(len(names))])
    rows["uri"] = pd.Series([f"{root}/{name}" for name in names])
    return ImageSet(pd.DataFrame(rows), ("a",))


def unlike(count: int) -> Hashes:
    return np.random.default_rng(0).integers(0, 2**64, count, dtype=np.uint64) & ~np.uint64(1)


def members(names: tuple[str, ...], found: FoundGroups) -> set[frozenset[str]]:
    of: dict[str, set[str]] = {}
    for name, group in zip(names, found.names, strict=True):
        if group is not None:
            of.setdefault(group, set()).add(name)
    return {frozenset(group) for group in of.values()}


def test_copies_of_one_original_are_a_group_that_a_pattern_names() -> None:
    names = (
        "train/images/a_jpg.rf.0123456789abcdef0123456789abcdef.jpg",
        "train/images/a_jpg.rf.1123456789abcdef0123456789abcdef.jpg",
        "valid/images/a_jpg.rf.9kQ2xYz.jpg",
        "test/images/b_jpg.rf.0123456789abcdef0123456789abcdef.jpg",
    )
    found = find_groups(images(*names), unlike(4))
    assert members(names, found) == {frozenset(names[:3])}
    assert (found.copies, found.sequences, found.alike, found.n_units) == (1, 0, 0, 2)
    again = FolderData(root="/d", group_pattern=found.pattern)
    assert again.group_pattern is not None


@pytest.mark.parametrize(
    "form",
    [
        "video-{}.jpg",
        "cam_{:06d}.png",
        "clip_frame{}.jpg",
        "lot_1_mp4-{}_jpg.rf.0123456789abcdef.jpg",
        "yard/frame{:04d}.jpg",
        "door_20240501_1200{:02d}.jpg",
        "door_2024-05-01T12.00.{:02d}Z.jpg",
    ],
)
def test_frames_of_a_video_are_contiguous_stretches(form: str) -> None:
    names = tuple(form.format(number) for number in range(60))
    found = find_groups(images(*names))
    groups = members(names, found)
    assert found.sequences == 1
    assert found.stretches == len(groups) >= 6
    position = {name: i for i, name in enumerate(names)}
    for group in groups:
        at = sorted(position[name] for name in group)
        assert at == list(range(at[0], at[0] + len(at)))
        assert len(at) <= 10
    assert sum(map(len, groups)) == 60


def test_numbers_alone_are_no_video() -> None:
    names = tuple(f"BloodImage_{n:05d}.jpg" for n in range(60))
    assert find_groups(images(*names)).n_groups == 0
    assert find_groups(images(*names), unlike(60)).n_groups == 0


def test_numbered_images_of_which_neighbours_look_alike_are_a_video() -> None:
    names = tuple(f"{n:06d}.jpg" for n in range(60))
    hashes = unlike(60) & np.uint64(0xFF0) | np.uint64(0xABCDEF0123456000)
    found = find_groups(images(*names), hashes)
    assert (found.sequences, found.stretches) == (1, 6)


def test_a_date_before_a_number_of_a_frame_is_no_time() -> None:
    names = tuple(f"cam3_20240501_{n:06d}.jpg" for n in range(30, 90))
    found = find_groups(images(*names))
    assert (found.sequences, found.stretches) == (1, 6)


def test_short_videos_are_groups_and_a_gap_divides() -> None:
    names = tuple(f"clip{v}_{n}.jpg" for v in range(40) for n in range(8))
    found = find_groups(images(*names))
    assert (found.sequences, found.n_groups) == (40, 40)
    frames = tuple(f"video_{n}.jpg" for n in [*range(6), *range(500, 506)])
    assert members(frames, find_groups(images(*frames))) == {
        frozenset(frames[:6]),
        frozenset(frames[6:]),
    }


def test_images_that_look_alike_are_joined_with_copies_and_counted() -> None:
    names = ("a.rf.x1.jpg", "a.rf.x2.jpg", "b.jpg", "c.jpg", "d.jpg")
    hashes = unlike(5)
    hashes[2] = hashes[0] ^ np.uint64(0b110)
    found = find_groups(images(*names), hashes)
    assert members(names, found) == {frozenset(names[:3])}
    assert (found.copies, found.alike, found.pattern) == (1, 1, None)
    assert found.near_duplicates == pytest.approx(2 / 5)


def test_a_chain_of_likeness_does_not_become_one_group() -> None:
    names = tuple(f"{n:032x}.jpg" for n in range(400))
    found = find_groups(images(*names), np.zeros(400, dtype=np.uint64))
    sizes = [len(group) for group in members(names, found)]
    assert found.near_duplicates == 1.0
    assert max(sizes) <= 20
    assert len(sizes) >= 20


def test_groups_do_not_depend_on_where_the_data_set_lies() -> None:
    names = tuple(f"train/cam_{n}.jpg" for n in range(60))
    here = find_groups(images(*names), unlike(60)).names
    assert find_groups(images(*names, root="/video_7/else"), unlike(60)).names == here


def test_an_empty_data_set_has_no_groups() -> None:
    found = find_groups(images(), unlike(0))
    assert (found.n_groups, found.n_units, found.near_duplicates) == (0, 0, 0.0)


def test_auto_and_a_pattern_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="groups: auto and group_pattern"):
        FolderData(root="/d", groups="auto", group_pattern="(.)")


def test_auto_groups_of_real_data_stay_in_one_split(bccd: Path) -> None:
    plain = read(FolderData(root=str(bccd), format="voc"))
    assert plain.images.table["group"].isna().all()
    grouped = read(FolderData(root=str(bccd), format="voc", groups="auto"))
    found = find_groups(plain.images, plain.hashes)
    assert tuple(grouped.images.table["group"].fillna("")) == tuple(
        name or "" for name in found.names
    )
    assert found.sequences == 0


def test_a_real_video_is_divided_and_its_copies_stay_together(parking: Path) -> None:
    paths = sorted(str(p) for p in parking.glob("*/images/*.jpg"))
    found = find_groups(images(*(p.removeprefix(f"{parking}/") for p in paths)))
    groups = [g for g in found.names if g is not None]
    assert (found.sequences, len(groups)) == (1, len(paths))
    assert 15 <= found.n_groups <= 40
    stem = [p.rpartition("/")[2].partition(".rf.")[0] for p in paths]
    pairs = pd.DataFrame({"stem": stem, "group": groups})
    assert (pairs.groupby("stem")["group"].nunique() == 1).all()


def test_a_split_never_divides_a_found_group(parking: Path) -> None:
    paths = sorted(str(p) for p in parking.glob("*/images/*.jpg"))
    known = images(*(p.removeprefix(f"{parking}/") for p in paths))
    groups = pd.Series(find_groups(known).names, dtype=object)
    labels = pd.Series([Labels.empty()] * len(known), dtype=object)
    whole = ImageSet(known.table.assign(group=groups, labels=labels), known.class_names)
    parts = split(whole, SplitFractions(train=0.6, valid=0.2), np.random.default_rng(0))
    seen = [set(part.table["group"]) for part in (parts.train, parts.valid, parts.test)]
    assert all(seen)
    assert len(set.union(*seen)) == sum(map(len, seen))
