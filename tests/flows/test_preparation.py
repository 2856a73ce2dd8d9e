"""What is initial and what arrives, from data sets on disk to the setting of a campaign."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.setting import Setting
from backhaul.data.digits import write_scenes
from backhaul.data.settings import DigitsData
from backhaul.errors import InputError
from backhaul.storage.objects import read_value
from backhaul.values.images import ImageSet
from backhaul.values.results import Arrangement
from backhaul.values.splits import Splits
from flows.preparation import prepare

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]

SMALL: dict[str, Any] = {
    "name": "small",
    "bandwidth": {"images": 3},
    "methods": ["true-random"],
    "initial": {"images": 10, "train": 0.6, "valid": 0.2},
    "batches": {"sampling_batch": 8, "holdout_batches": 1},
}


class Prepared:
    """What a campaign is made of, read from the store."""

    def __init__(self, setting: Setting, arrangement: Arrangement, splits: Any) -> None:
        self.sizes = arrangement.sizes
        self.dataset = read_value(ImageSet, setting.dataset)
        self.splits = read_value(Splits, splits)
        self.initial = read_value(ImageSet, arrangement.initial)
        self.batches = [read_value(ImageSet, batch) for batch in setting.batches]
        self.holdout = read_value(ImageSet, arrangement.holdout)
        self.leftover = read_value(ImageSet, arrangement.leftover)

    @property
    def arriving(self) -> list[str]:
        return [i for part in (*self.batches, self.holdout, self.leftover) for i in part.ids]


def play(store: Path, **config: Any) -> Prepared:
    whole = CampaignConfig.model_validate({**SMALL, "store": str(store), **config})

    @flow
    def preparing() -> Prepared:
        return Prepared(*prepare(whole))

    return preparing()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "arriving"
    write_scenes(folder, DigitsData(images=40, size_px=64))
    return folder


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, scenes: Path) -> Path:
    """Twelve scenes of their own, one of them without labels, and two of the others."""
    folder = tmp_path_factory.mktemp("data") / "initial"
    write_scenes(folder, DigitsData(images=12, size_px=64, seed=5))
    next((folder / "labels").iterdir()).unlink()
    for image in sorted((scenes / "images").iterdir())[:2]:
        shutil.copy(image, folder / "images" / f"again-{image.name}")
        label = scenes / "labels" / f"{image.stem}.txt"
        shutil.copy(label, folder / "labels" / f"again-{label.name}")
    return folder


def folder_data(root: Path) -> dict[str, str]:
    return {"kind": "folder", "root": str(root)}


def initial_data(root: Path, images: int | None) -> dict[str, Any]:
    return {"data": folder_data(root), "images": images, "train": 0.6, "valid": 0.2}


def test_the_initial_set_has_data_of_its_own(scenes: Path, own: Path, tmp_path: Path) -> None:
    mine = play(tmp_path, data=folder_data(scenes), initial=initial_data(own, None))
    folders = {Path(uri).parents[1].name for uri in mine.initial.table["uri"]}
    assert folders == {"initial"}
    assert len(mine.initial) == 13  # its labelled images
    assert len(mine.arriving) == 38  # all others but two that are in both
    assert not set(mine.initial.ids) & set(mine.arriving)
    assert set(mine.dataset.ids) == {*mine.initial.ids, *mine.arriving}
    assert len(mine.dataset.labelled()) == len(mine.dataset) == mine.sizes["images"] == 51
    in_splits = [len(part) for part in (mine.splits.train, mine.splits.valid, mine.splits.test)]
    assert sum(in_splits) == 13
    assert mine.sizes["initial_unused"] == 0


def test_a_number_of_its_images_is_drawn_and_the_rest_is_not_used(
    scenes: Path, own: Path, tmp_path: Path
) -> None:
    mine = play(tmp_path, data=folder_data(scenes), initial=initial_data(own, 8))
    assert (len(mine.initial), mine.sizes["initial_unused"]) == (8, 5)
    assert len(mine.arriving) == mine.sizes["pool"] == 38
    with pytest.raises(InputError, match=r"initial\.images: expected at most 13"):
        play(tmp_path, data=folder_data(scenes), initial=initial_data(own, 14))


def test_both_data_sets_have_the_same_classes(scenes: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_scenes(other, DigitsData(images=5, size_px=64, seed=5))
    text = (other / "data.yaml").read_text()
    (other / "data.yaml").write_text(text.split("names:")[0] + "names: [a, b, c, d, e]\n")
    with pytest.raises(InputError, match=r"initial\.data: its classes are a, b, c, d, e; exp"):
        play(tmp_path, data=folder_data(scenes), initial=initial_data(other, None))


def write_lists(folder: Path, scenes: Path, changed: str = "") -> Path:
    """Write lists of all scenes but three, as on a machine where they lay elsewhere."""
    paths = [f"/elsewhere/images/{p.name}" for p in sorted((scenes / "images").iterdir())]
    folder.mkdir(exist_ok=True)
    ends = {"init_train": 6, "init_valid": 9, "init_test": 12}
    ends |= {"sample0": 20, "sample1": 28, "sample2": 37}
    start = 0
    for name, end in ends.items():
        lines = [*paths[start:end], changed] if name == "sample1" else paths[start:end]
        (folder / f"{name}.txt").write_text("\n".join(filter(None, lines)))
        start = end
    return folder


def test_lists_say_what_is_initial_and_what_arrives(scenes: Path, tmp_path: Path) -> None:
    folder = write_lists(tmp_path / "lists", scenes)
    mine = play(tmp_path, data=folder_data(scenes), lists=str(folder))
    names = [
        [Path(uri).name for uri in part.table["uri"]]
        for part in (mine.splits.train, mine.splits.valid, mine.splits.test, *mine.batches)
    ]
    assert [len(part) for part in names] == [6, 3, 3, 8, 8]
    in_order = [name for part in names for name in part]
    assert in_order == sorted(in_order)
    assert len(mine.holdout) == 9
    assert mine.sizes["unlisted"] == 3
    assert mine.batches[0].table["labels"].isna().all()

    again = play(tmp_path, data=folder_data(scenes), lists=str(folder))
    assert [part.ids for part in again.batches] == [part.ids for part in mine.batches]
    last = sorted((scenes / "images").iterdir())[-1].name
    write_lists(folder, scenes, changed=last)
    changed = play(tmp_path, data=folder_data(scenes), lists=str(folder))
    assert len(changed.batches[1]) == 9
    assert changed.sizes["unlisted"] == 2


def test_lists_may_name_images_of_both_data_sets(
    scenes: Path, own: Path, tmp_path: Path
) -> None:
    folder = write_lists(tmp_path / "lists", scenes)
    initial = sorted((own / "labels").iterdir())[-6:]
    names = [f"{own.name}/images/{label.stem}.png" for label in initial]
    for i, split in enumerate(("train", "valid", "test")):
        (folder / f"init_{split}.txt").write_text("\n".join(names[2 * i : 2 * i + 2]))
    mine = play(
        tmp_path, data=folder_data(scenes), lists=str(folder), initial=initial_data(own, None)
    )
    assert {Path(uri).parents[1].name for uri in mine.initial.table["uri"]} == {"initial"}
    assert len(mine.initial) == 6
    assert len(mine.dataset) == 51


STREAM: dict[str, Any] = {
    "kind": "stream",
    "of": {"kind": "digits", "size_px": 48},
    "frames": 30,
    "initial": 12,
    "test": 9,
    "nodes": 2,
}


def names(images: ImageSet) -> list[str]:
    return [Path(uri).name for uri in images.table["uri"]]


def test_a_stream_arrives_in_order_of_capture_and_its_end_is_the_test_set(
    tmp_path: Path,
) -> None:
    mine = play(tmp_path, data=STREAM)
    assert len(mine.initial) == 10
    assert all("_initial_" in name for name in names(mine.initial))
    assert len(mine.holdout) == 9
    assert all("_test_" in name for name in names(mine.holdout))
    arrived = [name for batch in mine.batches for name in names(batch)]
    assert [len(batch) for batch in mine.batches] == [8, 8, 8]
    when = [(name.split("_")[2], name[:5]) for name in (*arrived, *names(mine.leftover))]
    assert when == [(f"{n // 2:06d}", f"cam{n % 2:02d}") for n in range(30)]
    assert mine.sizes["pool"] == 39


def test_each_seed_has_a_stream_of_its_own(tmp_path: Path) -> None:
    one, other = (play(tmp_path, data=STREAM, seed=seed) for seed in (0, 1))
    assert not set(one.dataset.ids) & set(other.dataset.ids)
    assert names(one.batches[0])[0][:19] == names(other.batches[0])[0][:19]


def test_the_initial_set_of_a_stream_may_have_data_of_its_own(
    own: Path, tmp_path: Path
) -> None:
    mine = play(tmp_path, data=STREAM, initial=initial_data(own, None))
    assert {Path(uri).parents[1].name for uri in mine.initial.table["uri"]} == {"initial"}
    assert mine.sizes["initial_unused"] == 12
    assert all("_stream_" in name for batch in mine.batches for name in names(batch))
