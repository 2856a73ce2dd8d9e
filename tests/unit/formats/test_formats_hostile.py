"""Label files that are none: links, pipes, files of others, values that nobody expects."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backhaul.data.formats import FORMATS, read
from backhaul.data.images import ImageReader
from backhaul.data.settings import FolderData
from backhaul.errors import InputError
from backhaul.values.images import ImageSet

LABELS = {
    "yolo": "labels/*.txt",
    "voc": "Annotations/*.xml",
    "kitti": "label_2/*.txt",
    "coco": "annotations/*.json",
    "cvat": "*.xml",
    "csv": "*.csv",
}
CANARY = "root:$6$canary:19000::::::"


def told_of(folder: Path, name: str) -> str:
    """Return all that is said of a data set."""
    try:
        report = read(FolderData(root=folder, format=name))
    except InputError as error:
        return str(error)
    return "\n".join(map(str, report.errors))


def written(folder: Path, name: str, images: ImageSet) -> Path:
    """Write a data set, and return a file of its labels."""
    FORMATS[name].write(folder, images)
    return sorted(folder.glob(LABELS[name]))[0]


KINDS: dict[str, Callable[[Path], None]] = {
    "is a link to nothing": lambda path: path.symlink_to("gone"),
    "is a pipe": os.mkfifo,
    "is a folder": lambda path: path.mkdir(),
    "is a device": lambda path: path.symlink_to("/dev/zero"),
    "Too many levels": lambda path: path.symlink_to(path.name),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_in_place_of_labels_is_an_error_that_names_it(
    name: str, kind: str, tmp_path: Path, odd_set: ImageSet
) -> None:
    path = written(tmp_path / "set", name, odd_set)
    path.unlink()
    KINDS[kind](path)
    if kind == "is a folder":
        (path / "x").touch()
        if name in ("coco", "csv"):
            kind = f"no {name.upper()} file"
    told = told_of(tmp_path / "set", name)
    assert kind in told
    assert path.name in told or kind.startswith("no ")


def test_labels_behind_a_folder_that_is_a_link_to_nothing_are_an_error(
    tmp_path: Path, odd_set: ImageSet
) -> None:
    path = written(tmp_path / "set", "yolo", odd_set)
    path.parent.rename(tmp_path / "elsewhere")
    path.parent.symlink_to("gone")
    assert "labels is a link to nothing" in told_of(tmp_path / "set", "yolo")


@pytest.mark.parametrize("name", LABELS)
def test_a_file_of_somebody_else_is_not_repeated(
    name: str, tmp_path: Path, odd_set: ImageSet
) -> None:
    secret = tmp_path / "shadow"
    secret.write_text(f"{CANARY}\n" * 20)
    path = written(tmp_path / "set", name, odd_set)
    path.unlink()
    path.symlink_to(secret)
    told = told_of(tmp_path / "set", name)
    assert told
    assert "canary" not in told


@pytest.mark.parametrize(
    "content",
    [
        "train: ../shadow\nnames: [a, b, c]\n",
        "train: {secret}\nnames: [a, b, c]\n",
        "train: lists/train.txt\nval: images\nnames: [a, b, c]\n",
    ],
)
def test_a_list_of_somebody_else_is_not_repeated(
    content: str, tmp_path: Path, odd_set: ImageSet
) -> None:
    secret = tmp_path / "shadow"
    secret.write_text(f"{CANARY}\n" * 20)
    written(tmp_path / "set", "yolo", odd_set)
    (tmp_path / "set/lists").mkdir()
    (tmp_path / "set/lists/train.txt").symlink_to(secret)
    (tmp_path / "set/data.yaml").write_text(content.format(secret=secret))
    data = FolderData(root=tmp_path / "set", format="yolo")
    try:
        said = "\n".join(map(str, read(data).problems))
    except InputError as error:
        said = str(error)
    assert "no image" in said
    assert "canary" not in said


@pytest.mark.timeout(60)
@pytest.mark.parametrize("entry", ["/", "..", "../..", "images/../../"])
def test_a_data_yaml_does_not_walk_through_the_machine(
    entry: str, tmp_path: Path, odd_set: ImageSet
) -> None:
    written(tmp_path / "a/set", "yolo", odd_set)
    (tmp_path / "a/set/data.yaml").write_text(f"train: {entry}\nnames: [a, b, c]\n")
    with pytest.raises(InputError, match=r"data\.yaml: .*holds the data set itself"):
        read(FolderData(root=tmp_path / "a/set"))


@pytest.mark.parametrize("entry", ["{outside}", "../outside", "{outside}/list.txt", "list.txt"])
def test_nothing_leads_out_of_a_data_set_that_may_not(
    entry: str, tmp_path: Path, odd_set: ImageSet
) -> None:
    written(tmp_path / "set", "yolo", odd_set)
    outside = tmp_path / "outside"
    FORMATS["yolo"].write(outside, odd_set)
    image = next((outside / "images").rglob("*.bmp"))
    for folder in (outside, tmp_path / "set"):
        (folder / "list.txt").write_text(f"{image}\n")
    place = entry.format(outside=outside)
    (tmp_path / "set/data.yaml").write_text(
        f"path: {outside}\ntrain: {place}\nval: images\nnames: [a, b, c]\n"
    )
    data = FolderData(root=tmp_path / "set", format="yolo")
    inside = read(data, ImageReader(within=str(tmp_path / "set")))
    assert len(inside.images)
    assert not inside.images.table["uri"].str.startswith(f"{outside}/").any()
    assert inside.problems
    assert read(data).images.table["uri"].str.startswith(f"{outside}/").any()


VALUES = {
    "voc": [
        ("<width>60</width>", "<width>inf</width>"),
        ("<annotation>", "<annotation>" + "<a>" * 30_000),
        ("<?xml version='1.0' encoding='utf-8'?>", "<?xml version='1.0' encoding='x-no'?>"),
        ("<annotation>", "<!DOCTYPE a [<!ENTITY x 'y'>]><annotation>&x;"),
    ],
    "coco": [
        ('"id": 1,', '"id": [1],'),
        ('"id": 1,', '"id": Infinity,'),
        ('"category_id": 1,', '"category_id": {},'),
        ('"image_id": 1,', '"image_id": [[]],'),
        ('"width": 60', f'"width": {"9" * 5000}'),
        ('"images": [', '"images": ' + "[" * 100_000),
        ('"bbox": [', '"bbox": [1e999, '),
    ],
    "cvat": [
        ('width="60"', 'width="inf"'),
        ("<annotations>", "<annotations>" + "<a>" * 30_000),
        ("<annotations>", "<annotations><image>" + "<a>" * 30_000),
        ("<?xml version='1.0' encoding='utf-8'?>", "<?xml version='1.0' encoding='x-no'?>"),
        ("<annotations>", "<!DOCTYPE a [<!ENTITY x 'y'>]><annotations>&x;"),
        (' xtl="', ' rotation="1e999" xtl="'),
        (' xtl="', ' label="" xtl="'),
    ],
    "csv": [("60,48", "60," + "9" * 5000), ("60,48", "60,\x00"), ("60,48", "x" * 200_000)],
    "kitti": [("-1 -1 -10", "-1 -1 -10 nan inf"), ("-1", "9" * 5000)],
    "yolo": [("0.5", "1" + "0" * 400), ("0 ", "1e400 "), ("0 ", "\x00 "), ("0 ", "² ")],
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "old", "new"), [(name, *pair) for name, pairs in VALUES.items() for pair in pairs]
)
def test_values_that_nobody_expects_end_in_short_lines(
    name: str, old: str, new: str, tmp_path: Path, odd_set: ImageSet
) -> None:
    written(tmp_path / "set", name, odd_set)
    for path in (tmp_path / "set").glob(LABELS[name]):
        text = path.read_text(encoding="utf-8").replace(old, new, 1)
        path.write_text(text, encoding="utf-8")
    told = told_of(tmp_path / "set", name)
    assert max(map(len, told.splitlines()), default=0) < 2000


@pytest.mark.parametrize("entry", ["2024", "[2024]"])
def test_a_folder_called_by_a_number_is_found(
    entry: str, tmp_path: Path, odd_set: ImageSet
) -> None:
    written(tmp_path / "set", "yolo", odd_set)
    (tmp_path / "set/images").rename(tmp_path / "set/2024")
    (tmp_path / "set/data.yaml").write_text(f"train: {entry}\nnames: [a, b, c]\n")
    assert len(read(FolderData(root=tmp_path / "set", format="yolo")).images)
