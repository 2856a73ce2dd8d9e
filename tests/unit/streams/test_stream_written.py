"""Streams on disk, made of digits or of a folder of the user's."""

import hashlib
import re
import shutil
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backhaul.data.digits import NAMES, write_scenes
from backhaul.data.formats import DataReport, read
from backhaul.data.made import Made, made_set
from backhaul.data.settings import DigitsData, FolderData, StreamData
from backhaul.data.streams import writing
from backhaul.data.streams.folderscenes import FoundScenes
from backhaul.errors import InputError
from backhaul.randomness import generator
from backhaul.values.images import ImageSet

SMALL: dict[str, Any] = {"frames": 40, "initial": 15, "test": 30, "nodes": 2}


def made(store: Path, seed: int = 0, **given: Any) -> Made:
    data = StreamData.model_validate({"of": {"kind": "digits"}, **SMALL, **given})
    stream = made_set(data, seed, store.as_posix())
    stream.make(lambda done, total: None)
    return stream


def files(stream: Made) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(stream.folder.root).rglob("*")
        if path.parent.name in ("images", "labels")
    }


def names(images: ImageSet) -> list[str]:
    return [Path(uri).name for uri in images.table["uri"]]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> DataReport:
    stream = made(tmp_path_factory.mktemp("store"), frames=120, test=100)
    return read(stream.folder)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty scenes of digits as a data set of the user's, in twenty groups of three."""
    folder = tmp_path_factory.mktemp("data") / "scenes"
    write_scenes(folder, DigitsData(images=60, size_px=48))
    for path in [*folder.glob("images/*"), *folder.glob("labels/*")]:
        number = int(path.stem.removeprefix("scene"))
        path.rename(path.with_stem(f"g{number // 3:02d}_{number}"))
    return folder


def of_folder(scenes: Path, **given: Any) -> dict[str, Any]:
    return {"kind": "folder", "root": str(scenes), "group_pattern": r"^(g\d+)_", **given}


def test_a_stream_is_an_ordinary_yolo_folder(digits: DataReport) -> None:
    assert digits.problems == ()
    assert digits.images.class_names == NAMES
    assert len(digits.images.labelled()) == 15 + 120 + 100
    assert digits.images.table["size_bytes"].between(2_000, 12_000).all()


def test_no_scene_is_in_two_parts_and_frames_of_one_are_a_group(digits: DataReport) -> None:
    parts: dict[str, set[str]] = defaultdict(set)
    shown: dict[str, set[int]] = defaultdict(set)
    table = digits.images.table
    for uri, group, labels in zip(table["uri"], table["group"], table["labels"], strict=True):
        parts[group].add(uri.split("_")[-3])
        shown[group].add(len(labels))
    assert all(len(each) == 1 for each in parts.values())
    assert all(len(each) == 1 for each in shown.values())
    in_stream = table["group"][table["uri"].str.contains("_stream_")]
    assert in_stream.nunique() < 0.5 * len(in_stream)
    assert table["group"].notna().all()


def test_nodes_have_backgrounds_of_their_own(tmp_path: Path) -> None:
    stream = made(tmp_path, empty=0.5)
    table = read(stream.folder).images.table
    from backhaul.data.streams.folderscenes import _read

    empty = table[[len(labels) == 0 for labels in table["labels"]]]
    means: dict[str, list[float]] = defaultdict(list)
    for uri in empty["uri"]:
        means[Path(uri).name[:5]].append(float(_read(uri).mean()))
    light, dark = means["cam00"], means["cam01"]
    assert min(light) > max(dark)


def test_equal_settings_give_equal_bytes_and_others_do_not(tmp_path: Path) -> None:
    one, other = (made(tmp_path / name) for name in "ab")
    assert files(one) == files(other)
    assert Path(one.folder.root).name == Path(other.folder.root).name
    content = {digest for name, digest in files(one).items() if name.endswith("jpg")}
    for changed in (made(tmp_path, seed=1), made(tmp_path, seed=1)):
        assert changed.folder.root != one.folder.root
        assert not content & set(files(changed).values())


def test_more_frames_begin_with_the_same_ones(tmp_path: Path) -> None:
    few, many = (files(made(tmp_path, frames=n)) for n in (20, 40))
    assert few.items() < many.items()


def test_a_stream_that_breaks_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def break_down(*_: object) -> None:
        raise KilledError

    monkeypatch.setattr(writing, "capture", break_down)
    with pytest.raises(KilledError):
        made(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_damaged_stream_is_made_again(tmp_path: Path) -> None:
    stream = made(tmp_path)
    before = files(stream)
    next(Path(stream.folder.root).glob("images/*")).write_bytes(b"")
    assert not stream.is_whole
    stream.make(lambda done, total: None)
    assert stream.is_whole
    assert files(stream) == before


def found(folder: Path, **given: Any) -> FoundScenes:
    data = StreamData.model_validate({"of": of_folder(folder), **given})
    assert isinstance(data.of, FolderData)
    return FoundScenes(read(data.of).images, data, partial(generator, 0))


def test_groups_of_a_folder_are_scenes_in_one_part_alone(scenes: Path) -> None:
    source = found(scenes, initial=5, test=5, empty=0.2)
    shown = {
        part: {source.scene(part, number, 0).pixels.tobytes() for number in range(60)}
        for part in ("initial", "stream", "test")
    }
    assert sum(map(len, shown.values())) == len(set().union(*shown.values())) > 50
    again = source.scene("stream", 0, 0)
    n_units = next(n for n in range(1, 60) if source.scene("stream", n, 0).name == again.name)
    assert n_units == 20 - 4 - 4
    assert not np.array_equal(source.scene("stream", n_units, 0).pixels, again.pixels)


def test_every_part_has_its_share_of_each_class(scenes: Path) -> None:
    """Drawn at random, a part of few scenes would often lack a rare class."""
    data = StreamData.model_validate(
        {"of": of_folder(scenes, group_pattern=None), "initial": 15, "test": 15, "empty": 0}
    )
    assert isinstance(data.of, FolderData)
    images = read(data.of).images
    for seed in range(5):
        source = FoundScenes(images, data, partial(generator, seed))
        for part in ("initial", "test"):
            shown = [set(source.scene(part, n, 0).labels.class_id.tolist()) for n in range(15)]
            counts = [sum(c in each for each in shown) for c in range(5)]
            expected = images.presence().mean(axis=0) * 15
            np.testing.assert_allclose(counts, expected, atol=2)


def test_objects_are_painted_out_of_empty_frames(scenes: Path) -> None:
    source = found(scenes, initial=5, test=5)
    for number in range(8):
        scene, empty = (show("stream", number, 0) for show in (source.scene, source.background))
        assert scene.name == empty.name
        assert len(empty.labels) == 0
        changed = np.zeros(scene.pixels.shape[:2], dtype=bool)
        for x1, y1, x2, y2 in scene.labels.xyxy(48, 48).round().astype(int):
            changed[max(y1 - 3, 0) : y2 + 3, max(x1 - 3, 0) : x2 + 3] = True
        assert np.array_equal(scene.pixels[~changed], empty.pixels[~changed])
        inside = [image.pixels[changed].astype(float).std() for image in (scene, empty)]
        assert inside[1] < 0.7 * inside[0]


@pytest.mark.parametrize("shape", [(1, 1000), (1000, 1), (2, 1300)])
def test_objects_are_painted_out_of_thin_images(
    shape: tuple[int, int], scenes: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(scenes, tmp_path / "scenes")
    for number, path in enumerate(sorted(folder.glob("images/*"))):
        noise = np.random.default_rng(number).integers(0, 256, (*shape, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    source = found(folder, initial=5, test=5)
    scene, empty = (show("stream", 0, 0) for show in (source.scene, source.background))
    assert empty.pixels.shape == (*shape, 3)
    assert np.any(scene.pixels != empty.pixels)


def test_images_without_objects_are_the_empty_frames_if_there_are_three(
    scenes: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "scenes"
    shutil.copytree(scenes, folder)
    for number in range(9):  # three groups
        (folder / "labels" / f"g{number // 3:02d}_{number}.txt").write_text("")
    source = found(folder, initial=5, test=5)
    names = {
        source.background(part, number, 0).name
        for part in ("initial", "stream", "test")
        for number in range(6)
    }
    assert names == {"ib00000", "sb00000", "tb00000"}


def test_a_stream_of_a_folder_is_another_once_the_folder_changes(
    scenes: Path, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"of": of_folder(scenes), "initial": 5, "test": 5}
    one = made(tmp_path, **given)
    assert len(read(one.folder).images) == 50
    assert not [n for n in names(read(one.folder).images) if not re.match(r"cam0[01]_", n)]
    place = one.folder.root
    assert made(tmp_path, **given).folder.root == place
    label = next((scenes / "labels").iterdir())
    label.write_text(label.read_text() + "\n\n")
    assert made(tmp_path, **given).folder.root != place


def test_too_few_scenes_are_told_with_their_numbers(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.of: has \d+ scenes with objects; 16 are want"):
        made(tmp_path, of=of_folder(scenes), initial=20, test=5)
