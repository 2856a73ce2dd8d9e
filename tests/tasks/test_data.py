import os
from pathlib import Path

from backhaul.data.digits import write_scenes
from backhaul.data.formats import read
from backhaul.data.made import data_folder
from backhaul.data.settings import DigitsData, FolderData
from backhaul.data.source import (
    data_set_digest,
    fingerprint,
    place_outside,
)


def test_any_change_of_a_data_set_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    write_scenes(folder, DigitsData(images=5, size_px=64))
    data = FolderData(root=folder)
    first = fingerprint(data, "/store")
    assert fingerprint(data, "/store") == first
    label = next(folder.rglob("*.txt"))
    label.write_text("0 0.5 0.5 0.2 0.2\n", encoding="ascii")
    os.utime(label, ns=(1, 1))
    assert fingerprint(data, "/store") != first


def test_defect_15_images_that_a_yaml_names_elsewhere_are_watched_too(tmp_path: Path) -> None:
    write_scenes(tmp_path / "far", DigitsData(images=3, size_px=64))
    near = tmp_path / "near"
    near.mkdir()
    (near / "data.yaml").write_text("path: ../far\ntrain: images\nnames: [a, b, c, d, e]\n")
    data = FolderData(root=near)
    first = fingerprint(data, "/store")
    next((tmp_path / "far" / "labels").iterdir()).unlink()
    assert fingerprint(data, "/store") != first


def test_the_demo_is_written_once_below_the_store(tmp_path: Path) -> None:
    data = DigitsData(images=3, size_px=64)
    folder = data_folder(data, 0, str(tmp_path), quiet)
    assert Path(folder.root).is_relative_to(tmp_path / ".backhaul")
    before = fingerprint(folder, "/store")
    assert data_folder(data, 0, str(tmp_path), quiet) == folder
    assert fingerprint(folder, "/store") == before


def test_labels_beside_the_folder_of_images_are_watched(tmp_path: Path) -> None:
    images, labels = tmp_path / "images" / "a", tmp_path / "labels" / "a"
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    (images / "x.jpg").write_bytes(b"x")
    (labels / "x.txt").write_text("0 0.5 0.5 0.1 0.1")
    data = FolderData(root=images, format="yolo")
    before = fingerprint(data, "/store")
    (labels / "x.txt").write_text("0 0.5 0.5 0.1 0.12")
    assert fingerprint(data, "/store") != before


def quiet(done: int, total: int) -> None:
    """Say nothing of progress."""


def test_a_data_set_in_a_store_that_is_moved_need_not_be_read_again(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    write_scenes(here / "scenes", DigitsData(images=3))
    first = fingerprint(FolderData(root=str(here / "scenes")), str(here))
    elsewhere = fingerprint(FolderData(root=str(here / "scenes")), "/store")
    here.rename(there)
    assert fingerprint(FolderData(root=str(there / "scenes")), str(there)) == first
    assert fingerprint(FolderData(root=str(there / "scenes")), "/store") != elsewhere


def test_a_data_set_outside_the_store_is_its_content(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    write_scenes(here, DigitsData(images=3))

    def digest_at(folder: Path) -> str:
        data = FolderData(root=str(folder))
        place = place_outside(data, str(tmp_path / "store"))
        assert place == folder.as_posix()
        return data_set_digest(read(data).images, place)

    first = digest_at(here)
    here.rename(there)
    assert digest_at(there) == first
    image = next((there / "images").iterdir())
    image.rename(image.with_name(f"other{image.suffix}"))
    assert digest_at(there) != first


def test_a_data_set_in_the_store_has_no_root_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "store")
    for root, place in (("store/data", None), ("storage", "storage"), ("link/a", "link/a")):
        found = place_outside(FolderData(root=str(tmp_path / root)), str(tmp_path / "store"))
        assert found == (None if place is None else str(tmp_path / place))
    remote = FolderData(root="s3://bucket/data")
    assert place_outside(remote, "s3://bucket") is None
    assert place_outside(remote, str(tmp_path)) == "s3://bucket/data"
